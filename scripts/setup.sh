#!/usr/bin/env bash
# Installs what is missing and nothing else; quick when nothing is.
source "$(dirname "$0")/common.sh"

# command=package pairs: what the infrastructure image is assembled from, and what the tests and the demo run.
NEEDED=(
  dockerd=docker.io iptables=iptables nft=nftables named=bind9 haproxy=haproxy conntrack=conntrack
  ip=iproute2 nsenter=util-linux busybox=busybox-static curl=curl git=git wrk=wrk zsh=zsh fish=fish
)

missing=()
for pair in "${NEEDED[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done

# A Python that is new enough and can make virtual environments.
python=""
for candidate in python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null &&
     "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python="$candidate"; break
  fi
done
[ -n "$python" ] || missing+=(python3 python3-venv)

if [ "${#missing[@]}" -gt 0 ]; then
  command -v apt-get >/dev/null || fail "please install: ${missing[*]} (this script knows only apt-get)"
  [ "$(id -u)" = 0 ] || fail "these Debian packages are missing: ${missing[*]}. Run: sudo apt-get install ${missing[*]}"
  say "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Services that the packages bring must not start: minikctl runs them in containers.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d.minikctl
  chmod +x /usr/sbin/policy-rc.d.minikctl
  if [ ! -e /usr/sbin/policy-rc.d ]; then ln -s policy-rc.d.minikctl /usr/sbin/policy-rc.d; fi
  trap 'rm -f /usr/sbin/policy-rc.d.minikctl; [ -L /usr/sbin/policy-rc.d ] && rm -f /usr/sbin/policy-rc.d || true' EXIT
  apt-get update -qq || fail "apt-get update failed: is the network up?"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/minikctl-apt.log 2>&1 ||
    { tail -n 15 /tmp/minikctl-apt.log >&2; fail "apt-get could not install: ${missing[*]}"; }
  python="${python:-python3}"
fi

stamp=.venv/.minikctl-installed
if [ ! -x .venv/bin/python ]; then
  say "Making the virtual environment .venv with $("$python" --version)"
  "$python" -m venv .venv || fail "python could not make .venv; remove that folder and run this again"
fi
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ ! -x .venv/bin/minikctl ]; then
  say "Installing Python packages into .venv"
  .venv/bin/python -m pip install -q --disable-pip-version-check -e '.[dev]' ||
    fail "pip could not install the packages; what it said stands above"
  touch "$stamp"
fi
