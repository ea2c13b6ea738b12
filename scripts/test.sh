#!/usr/bin/env bash
# Every test: first the quick ones, then the ones on real containers, also when a quick one fails.
source "$(dirname "$0")/common.sh"

code=0
# The same examples in each run, as what they cover is judged; pytest by itself looks for new ones.
say "Tests without containers"
.venv/bin/python -m pytest -q -n auto -m "not e2e" --hypothesis-seed=1 --cov=minikctl.plan --cov=minikctl.model --cov-branch --cov-report= "$@" || code=$?
[ $# != 0 ] || .venv/bin/python scripts/coverage_gate.py || code=$?
say "Tests on real containers (a few minutes)"
scripts/test-e2e.sh "$@" || code=$?
exit "$code"
