#!/usr/bin/env bash
# The whole way: a cluster, the manifests of manifests/, and every way to reach the apps. Run it as often as you like.
source "$(dirname "$0")/common.sh"

show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; echo; }
# Ask until it answers, for at most 30 s, then show the one that counts.
answers() { for _ in $(seq 60); do curl -sf -m 3 -o /dev/null "$@" && return; sleep 0.5; done; fail "no answer: curl $*"; }
jsonpath() { "$MINIKCTL" get "$1" "$2" -n tour -o "jsonpath=$3"; }
# An address in a status may take a moment.
address() {
  for _ in $(seq 60); do
    found="$(jsonpath "$1" "$2" '{.status.loadBalancer.ingress[0].ip}')"
    if [ -n "$found" ]; then echo "$found"; return; fi
    sleep 0.5
  done
  fail "$1 $2 got no address; see: $MINIKCTL describe $1 $2 -n tour"
}

say "Starting the cluster"
show "$MINIKCTL" cluster start
say "Applying manifests/"
show "$MINIKCTL" apply -f manifests/
say "Waiting for the apps"
"$MINIKCTL" wait --for=condition=Available deployment --all -n tour --timeout=120s
"$MINIKCTL" wait --for=condition=Ready pod/client -n tour --timeout=60s
echo
show "$MINIKCTL" get pods,services,ingress -n tour

ingress="$(address ingress whale-ingress)"
balancer="$(address service whale-lb)"

say "Ingress: one address, two hosts, two Services"
for host in a b; do
  answers --resolve "$host.whale.hey:80:$ingress" "http://$host.whale.hey/"
  show curl -s --resolve "$host.whale.hey:80:$ingress" "http://$host.whale.hey/"
done
say "NodePort: a port of this machine"
answers http://127.0.0.1:30001/
show curl -s http://127.0.0.1:30001/
say "LoadBalancer: an address of its own, at once"
answers "http://$balancer:8080/"
show curl -s "http://$balancer:8080/"
say "DNS: a pod reaches a Service by its name"
show "$MINIKCTL" exec -n tour client -- wget -qO- http://whale-svc-b.tour.svc.cluster.local/

say "All of it works. Look around with $MINIKCTL, or with kubectl after: $MINIKCTL cluster kubeconfig --merge"
say "make clean takes everything away again."
