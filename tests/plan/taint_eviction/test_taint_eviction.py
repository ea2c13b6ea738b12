from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import TAINT_EVICTION

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(TAINT_EVICTION, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(TAINT_EVICTION, case)
