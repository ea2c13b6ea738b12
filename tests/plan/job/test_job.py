from __future__ import annotations

from pathlib import Path

import pytest

from minikctl.plan.job import planner
from tests.plan import cases
from tests.plan.planners import JOB

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(JOB, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(JOB, case)


def test_no_more_than_500_pods_wait_to_be_counted() -> None:
    """The status of a Job is to stay small: the others are recorded once those are counted."""
    pods = [{"jobPod": {"name": f"p{number}", "exit": 0}} for number in range(501)]
    status = {"startTime": "2026-01-01T11:00:00Z"}
    job = {"job": {"name": "work", "spec": {"completions": 600, "parallelism": 1}, "status": status}}
    case = cases.Case("many", {"key": ["default", "work"], "given": [job, *pods]})
    plan = planner.desired(JOB.view(case.world(), case.body), case.now)
    assert plan.status is not None
    assert len(plan.status["uncountedTerminatedPods"]["succeeded"]) == 500
