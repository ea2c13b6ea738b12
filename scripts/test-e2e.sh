#!/usr/bin/env bash
# The tests on real containers, two files at a time: each has clusters of its own, and mostly waits for the engine.
# E2E_FILES_AT_ONCE=0 runs them one after the other.
source "$(dirname "$0")/common.sh"

# Where such tests are, so that nothing else is loaded; tests/test_house.py holds it.
places=(tests/e2e tests/contract tests/drivers)
for word in "$@"; do [ ! -e "${word%%::*}" ] || places=(); done
.venv/bin/python -m pytest -q -m e2e -n "${E2E_FILES_AT_ONCE:-2}" --dist loadfile --durations=5 "${places[@]}" "$@"
