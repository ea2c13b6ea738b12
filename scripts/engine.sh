#!/usr/bin/env bash
# start: a Docker engine answers afterwards; stop: the one that we started has ended (others are left alone).
source "$(dirname "$0")/common.sh"

start() {
  if engine_answers; then return; fi
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one. Start Docker, then run this again."
  command -v dockerd >/dev/null || fail "dockerd is not installed; run: make setup"
  say "Starting a Docker engine (log: $ENGINE_LOG)"
  mkdir -p "$STATE"
  # A pid file of an engine that is gone would keep the new one from starting.
  if [ -e /var/run/docker.pid ] && ! kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; then rm -f /var/run/docker.pid; fi
  setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null &
  echo $! > "$ENGINE_PID"
  for _ in $(seq 120); do
    if engine_answers; then return; fi
    kill -0 "$(cat "$ENGINE_PID")" 2>/dev/null || { tail -n 15 "$ENGINE_LOG" >&2; fail "the Docker engine did not start"; }
    sleep 0.5
  done
  fail "the Docker engine did not answer within 60 s; its log is $ENGINE_LOG"
}

stop() {
  [ -e "$ENGINE_PID" ] || return 0
  local pid; pid="$(cat "$ENGINE_PID")"
  if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
    say "Stopping the Docker engine that make started (pid $pid)"
    kill "$pid"
    for _ in $(seq 60); do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
  fi
  rm -f "$ENGINE_PID"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  *) fail "usage: scripts/engine.sh start|stop" ;;
esac
