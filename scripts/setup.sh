#!/usr/bin/env bash
# Installs what is missing and nothing else; quick when nothing is.
#   setup.sh        what it takes to run minikctl
#   setup.sh dev    and what its tests, checks and benchmarks need
source "$(dirname "$0")/common.sh"

# command=package pairs: the engine, what the images are assembled from, and what make itself runs.
NEEDED=(
  dockerd=docker.io iptables=iptables nft=nftables named=bind9 haproxy=haproxy conntrack=conntrack
  ip=iproute2 nsenter=util-linux dash=dash busybox=busybox-static curl=curl
)
PACKAGES=.
if [ "${1:-}" = dev ]; then
  NEEDED+=(git=git wrk=wrk dnsperf=dnsperf zsh=zsh fish=fish /usr/lib/cni/bridge=containernetworking-plugins)
  NEEDED+=(/usr/lib/usrsctp/client=libusrsctp-examples certutil=libnss3-tools)
  NEEDED+=(rootlesskit=rootlesskit slirp4netns=slirp4netns newuidmap=uidmap)
  PACKAGES='.[dev]'
fi

# The image of an engine that somebody else runs (Docker Desktop, a socket) needs no dockerd here.
if engine_answers; then NEEDED=("${NEEDED[@]:2}"); fi

find_python() { # a Python that is new enough and can make virtual environments
  local candidate
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

services() { # those of the missing packages whose services must not run: minikctl runs them in containers
  local package
  for package in "${missing[@]}"; do
    case $package in
      bind9) echo named ;;
      haproxy) echo haproxy ;;
    esac
  done
}

install_packages() {
  say "Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local policy=/usr/sbin/policy-rc.d log
  log="$(mktemp /tmp/minikctl-apt.XXXXXX)"
  if [ ! -e "$policy" ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  apt-get update -qq >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; fail "apt-get update failed (its words stand above): is the network up?"; }
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; fail "apt-get could not install ${missing[*]}; its words stand above"; }
  rm -f "$log"
  if [ -d /run/systemd/system ]; then
    for service in $(services); do systemctl disable --quiet --now "$service" 2>/dev/null || true; done
  fi
}

missing=()
for pair in "${NEEDED[@]}"; do
  command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
done
# An engine on a kernel with AppArmor refuses to start containers without its parser.
if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] && [ ! -x /sbin/apparmor_parser ] &&
   ! engine_answers; then missing+=(apparmor); fi
python="$(find_python)"
[ -n "$python" ] || missing+=(python3 python3-venv)

if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    [ -n "$python" ] || fail "Python 3.11 or newer with its venv module is missing; please install it"
    note "not on this machine: ${missing[*]}. Images are built from a registry's base image instead."
  elif [ "$(id -u)" != 0 ]; then
    fail "Debian packages are missing and only root can install them. Run: sudo apt-get install ${missing[*]}"
  else
    install_packages
    python="${python:-$(find_python)}"
    [ -n "$python" ] || fail "this Debian has no Python 3.11 or newer: it is too old for minikctl"
  fi
fi

# Two makes at once must not install into .venv at the same time.
if command -v flock >/dev/null; then
  exec 8>.venv.lock
  flock 8
fi
if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
  say "Making the virtual environment .venv ($("$python" --version))"
  "$python" -m venv --clear .venv || fail "python could not make .venv; what it said stands above"
fi
fetch_clients() { # the programs that tests drive our API with
  if [ "$PACKAGES" != . ]; then
    .venv/bin/python -m tests.clients.programs || fail "pip could not fetch the tests' clients (its words stand above)"
  fi
}

# What was installed last, and from what: anything else is installed anew.
wanted="$PACKAGES $(cksum <pyproject.toml)"
stamp=.venv/.minikctl-installed
if [ -x "$MINIKCTL" ] && grep -qsF "${wanted#* }" "$stamp" && { [ "$PACKAGES" = . ] || grep -qsF "$PACKAGES" "$stamp"; }; then
  fetch_clients
  exit 0
fi
say "Installing Python packages into .venv"
.venv/bin/python -m pip install -q --disable-pip-version-check -e "$PACKAGES" ||
  fail "pip could not install the packages (its words stand above): is the network up?"
echo "$wanted" >"$stamp"
fetch_clients
