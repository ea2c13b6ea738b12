#!/usr/bin/env bash
# Leaves neither container, network, image, process nor state of minikctl behind.
source "$(dirname "$0")/common.sh"

if engine_answers; then
  if [ -x "$MINIKCTL" ]; then say "Deleting the clusters"; "$MINIKCTL" cluster delete --all || true; fi
  containers="$(docker ps -aq --filter label=minikctl.dev/cluster)"
  if [ -n "$containers" ]; then say "Removing leftover containers"; docker rm -f $containers >/dev/null; fi
  networks="$(docker network ls -q --filter label=minikctl.dev/cluster)"
  if [ -n "$networks" ]; then say "Removing leftover networks"; docker network rm $networks >/dev/null; fi
  images="$(docker images -q 'minikctl-*' | sort -u)"
  if [ -n "$images" ]; then say "Removing the images"; docker rmi -f $images >/dev/null; fi
elif [ -d "$STATE/clusters" ]; then
  # No engine, so no containers run; the control planes' processes may.
  for daemon in "$STATE"/clusters/*/daemon.json; do
    [ -e "$daemon" ] || continue
    pid="$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$daemon")"
    if [ -n "$pid" ] && grep -qs minikctl.daemon "/proc/$pid/cmdline"; then kill "$pid"; fi
  done
fi
scripts/engine.sh stop
say "Removing the state in $STATE"
rm -rf "$STATE/clusters" "$ENGINE_LOG"
rmdir "$STATE" 2>/dev/null || true
