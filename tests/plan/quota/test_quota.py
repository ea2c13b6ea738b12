from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import QUOTA

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(QUOTA, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(QUOTA, case)
