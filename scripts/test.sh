#!/usr/bin/env bash
# Every test: first the quick ones, then the ones on real containers, also when a quick one fails.
# What failed is said once more at the end, where it is looked for.
source "$(dirname "$0")/common.sh"

failed=()
# The same examples in each run, as what they cover is judged; pytest by itself looks for new ones.
say "Tests without containers"
.venv/bin/python -m pytest -q -n auto -m "not e2e" --hypothesis-seed=1 --cov=minikctl.plan --cov=minikctl.model --cov-branch --cov-report= "$@" || failed+=("tests without containers")
[ $# != 0 ] || .venv/bin/python scripts/coverage_gate.py || failed+=("coverage")
say "Tests on real containers (a few minutes)"
scripts/test-e2e.sh "$@" || failed+=("tests on real containers")

[ ${#failed[@]} != 0 ] || exit 0
say "What failed"
[[ " ${failed[*]} " != *" coverage "* ]] || .venv/bin/python scripts/coverage_gate.py || true
[[ " ${failed[*]} " != *" tests "* ]] || .venv/bin/python -m pytest -q --cache-show 'cache/lastfailed'
fail "$(printf '%s; ' "${failed[@]}")see above"
