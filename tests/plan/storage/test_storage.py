from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases, planners

HERE = Path(__file__).parent
PLANNERS = {"claim": planners.CLAIM, "volume": planners.VOLUME, "ephemeral": planners.EPHEMERAL}
CASES = [
    pytest.param(planner, *found.values, id=f"{name}/{found.id}")
    for name, planner in PLANNERS.items()
    for found in cases.load(HERE / name)
]


@pytest.mark.parametrize(("planner", "case"), CASES)
def test_case(planner: cases.Planner, case: cases.Case) -> None:
    cases.check_case(planner, case)


@pytest.mark.parametrize(("planner", "case"), CASES)
def test_laws(planner: cases.Planner, case: cases.Case) -> None:
    cases.check_laws(planner, case)
