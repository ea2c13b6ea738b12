from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import ROLE_AGGREGATION

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(ROLE_AGGREGATION, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(ROLE_AGGREGATION, case)
