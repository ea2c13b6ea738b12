#!/usr/bin/env bash
# Leaves neither container, network, image, process nor state of minikctl behind.
source "$(dirname "$0")/common.sh"

# end_daemons: end the control planes that still run, known by their state.
end_daemons() {
  local daemon pid
  for daemon in "$STATE"/clusters/*/daemon.json; do
    [ -e "$daemon" ] || continue
    pid="$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$daemon")"
    if [ -n "$pid" ] && grep -qs minikctl "/proc/$pid/cmdline"; then
      say "Ending a control plane (pid $pid)"
      kill "$pid" 2>/dev/null || true
    fi
  done
}

# sweep WHAT LIST... -- REMOVE...: remove what LIST prints.
sweep() {
  local what="$1" found; shift
  local list=()
  while [ "$1" != -- ]; do list+=("$1"); shift; done
  shift
  found="$("${list[@]}" | sort -u)"
  if [ -n "$found" ]; then
    say "Removing $what"
    # shellcheck disable=SC2086
    "$@" $found >/dev/null || note "some $what could not be removed; what Docker said stands above"
  fi
}

# An engine that many pods left at once can count endpoints on a network where none are, until it starts anew.
sweep_networks() {
  local networks=(docker network ls -q --filter "label=$label")
  sweep "leftover networks" "${networks[@]}" -- docker network rm
  if [ -n "$("${networks[@]}")" ] && [ -e "$ENGINE_PID" ]; then
    scripts/engine.sh restart
    sweep "networks that the engine took for used" "${networks[@]}" -- docker network rm
  fi
}

if [ -x "$MINIKCTL" ] && [ -d "$STATE/clusters" ]; then
  say "Deleting the clusters"
  "$MINIKCTL" cluster delete --all || note "that went wrong; their parts are removed one by one"
fi
end_daemons
label=minikctl.dev/cluster
if engine_answers; then
  sweep "containers of a benchmark that was cut off" docker ps -aq --filter label=minikctl.dev/bench -- docker rm -fv
  sweep "leftover containers" docker ps -aq --filter "label=$label" -- docker rm -fv
  sweep_networks
  sweep "leftover volumes" docker volume ls -q --filter "label=$label" -- docker volume rm -f
  sweep "the images" docker images -aq --filter label=minikctl.dev/image -- docker rmi -f
elif command -v docker >/dev/null; then
  note "no Docker engine answers at $(engine_address): containers, if it has any of ours, stay there"
fi
scripts/engine.sh stop
if [ -d "$STATE" ]; then
  say "Removing the state in $STATE"
  rm -rf "$STATE/clusters" "$STATE/cache" "$ENGINE_LOG"
  rmdir "$STATE" 2>/dev/null || true
fi
