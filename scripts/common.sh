# Shared by the scripts of this folder: where things are, and how to speak to the user.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Debian keeps what only root runs out of everybody else's path.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

STATE="${MINIKCTL_HOME:-${XDG_DATA_HOME:-$HOME/.local/share}/minikctl}"
ENGINE_PID="$STATE/dockerd.pid"
ENGINE_LOG="$STATE/dockerd.log"
MINIKCTL=.venv/bin/minikctl

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
note() { printf 'note: %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
engine_address() { echo "${DOCKER_HOST:-unix:///var/run/docker.sock}"; }
engine_answers() { command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
