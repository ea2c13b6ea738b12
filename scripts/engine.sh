#!/usr/bin/env bash
#   engine.sh start   a Docker engine answers afterwards, and has our images
#   engine.sh stop    the one that we started has ended; others are left alone
#   engine.sh restart the one that we started is a new one
source "$(dirname "$0")/common.sh"

start() {
  engine_answers || start_engine
  .venv/bin/python scripts/images.py || fail "the images could not be made; why stands above"
}

start_engine() {
  local address; address="$(engine_address)"
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers at $address, and only root can start one." \
    "Start Docker (or join the group docker), then run this again."
  command -v dockerd >/dev/null || fail "no Docker engine answers at $address, and dockerd is not installed here"
  if [ -d /run/systemd/system ] && systemctl cat docker.service >/dev/null 2>&1; then
    say "Starting the Docker service"
    systemctl start docker || fail "the Docker service did not start; see: journalctl -u docker"
    await_engine
    return
  fi
  say "Starting a Docker engine (its log: $ENGINE_LOG)"
  mkdir -p "$STATE"
  remove_stale_pid_file
  # DOCKERD_ARGS: for an engine elsewhere than usual, say in a test of these scripts.
  # shellcheck disable=SC2086
  setsid dockerd -H "$address" ${DOCKERD_ARGS:-} >>"$ENGINE_LOG" 2>&1 </dev/null 8>&- &
  echo $! >"$ENGINE_PID"
  await_engine
}

# The pid file of an engine that is gone keeps a new one from starting when its number is in use again.
remove_stale_pid_file() {
  local file=/var/run/docker.pid
  if [ -e "$file" ] && [ "$(cat "/proc/$(cat "$file")/comm" 2>/dev/null)" != dockerd ]; then rm -f "$file"; fi
}

await_engine() {
  local turn
  for turn in $(seq 120); do
    if engine_answers; then return; fi
    if [ -e "$ENGINE_PID" ] && ! kill -0 "$(cat "$ENGINE_PID")" 2>/dev/null; then
      rm -f "$ENGINE_PID"
      tail -n 15 "$ENGINE_LOG" >&2
      fail "the Docker engine did not start; the end of its log stands above, all of it is in $ENGINE_LOG"
    fi
    sleep 0.5
  done
  fail "the Docker engine did not answer within a minute; its log is $ENGINE_LOG"
}

stop() {
  [ -e "$ENGINE_PID" ] || return 0
  local pid turn; pid="$(cat "$ENGINE_PID")"
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    say "Stopping the Docker engine that make started (pid $pid)"
    kill "$pid"
    for turn in $(seq 120); do kill -0 "$pid" 2>/dev/null || break; sleep 0.25; done
    if kill -0 "$pid" 2>/dev/null; then fail "the Docker engine (pid $pid) does not end; its log is $ENGINE_LOG"; fi
  fi
  rm -f "$ENGINE_PID"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  restart) stop; start_engine ;;
  *) fail "usage: scripts/engine.sh start|stop|restart" ;;
esac
