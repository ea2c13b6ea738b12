#!/usr/bin/env bash
# Every test: first the quick ones without containers, then the ones on real containers.
source "$(dirname "$0")/common.sh"
say "Running every test (the ones on real containers take a few minutes)"
exec .venv/bin/python -m pytest -q --durations=5 "$@"
