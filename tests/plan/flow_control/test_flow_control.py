from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import FLOW_SCHEMA, PRIORITY_LEVEL

CASES = cases.load(Path(__file__).parent)
PLANNERS = {"schema": FLOW_SCHEMA, "level": PRIORITY_LEVEL}


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(PLANNERS[case.body["of"]], case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(PLANNERS[case.body["of"]], case)
