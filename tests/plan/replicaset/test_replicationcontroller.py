from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan import cases
from tests.plan.planners import REPLICATION_CONTROLLER

CASES = cases.load(Path(__file__).parent / "replicationcontroller")


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(REPLICATION_CONTROLLER, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(REPLICATION_CONTROLLER, case)
