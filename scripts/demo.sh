#!/usr/bin/env bash
# The whole way: a cluster, the manifests of manifests/, and every way to reach the apps. Run it as often as you like.
source "$(dirname "$0")/common.sh"

MINIKCTL="$PWD/.venv/bin/minikctl"
minikctl() { "$MINIKCTL" "$@"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

# expect WORDS COMMAND...: show a command whose answer has WORDS in it, asked again for up to half a minute.
expect() {
  local words="$1" said="" turn; shift
  printf '\033[2m$ %s\033[0m\n' "$*"
  for turn in $(seq 60); do
    if said="$("$@" 2>&1)" && [[ "$said" == *"$words"* ]]; then printf '%s\n\n' "$said"; return; fi
    sleep 0.5
  done
  printf '%s\n' "$said" >&2
  fail "that answer should have had \"$words\" in it; try: $MINIKCTL get events -n tour"
}

# address KIND NAME: print the address in its status, which may take a moment.
address() {
  local found turn
  for turn in $(seq 60); do
    found="$(minikctl get "$1" "$2" -n tour -o 'jsonpath={.status.loadBalancer.ingress[0].ip}')"
    if [ -n "$found" ]; then echo "$found"; return; fi
    sleep 0.5
  done
  fail "$1 $2 got no address; see: $MINIKCTL describe $1 $2 -n tour"
}

say "Starting the cluster"
show minikctl cluster start
say "Applying manifests/"
show minikctl apply -f manifests/
say "Waiting for the apps"
minikctl wait --for=condition=Available deployment --all -n tour --timeout=120s
minikctl wait --for=condition=Ready pod/client -n tour --timeout=60s
echo
show minikctl get pods,services,ingress -n tour
echo

ingress="$(address ingress whale-ingress)"
port="$(minikctl get ingress whale-ingress -n tour -o 'jsonpath={.status.loadBalancer.ingress[0].ports[0].port}')"
port="${port:-80}" # a rootless engine may have to take another
balancer="$(address service whale-lb)"

say "Ingress: one address, two hosts, two Services"
expect "whale A" curl -sf -m 5 --resolve "a.whale.hey:$port:$ingress" "http://a.whale.hey:$port/"
expect "whale B" curl -sf -m 5 --resolve "b.whale.hey:$port:$ingress" "http://b.whale.hey:$port/"
say "NodePort: a port of this machine"
expect "whale A" curl -sf -m 5 http://127.0.0.1:30001/
say "LoadBalancer: an address of its own, at once"
expect "whale B" curl -sf -m 5 "http://$balancer:8080/"
say "DNS: a pod reaches a Service by its name"
expect "whale B" minikctl exec -n tour client -- wget -qO- http://whale-svc-b.tour.svc.cluster.local/

say "All of it works. Look around with .venv/bin/minikctl, or with kubectl after: .venv/bin/minikctl cluster kubeconfig --merge"
say "make clean takes everything away again."
