"""The cases only: an autoscaler's plans are steps in time, so the laws about plans that settle are not for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import AUTOSCALING

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(AUTOSCALING, case)
