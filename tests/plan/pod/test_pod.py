"""Every case, and the laws that hold for all of them."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import pod as planner
from tests.plan.pod import cases
from tests.plan.pod.world import World, summary

CASES = cases.load()
NAMES = [name for name, _ in CASES]


@pytest.mark.parametrize(("name", "case"), CASES, ids=NAMES)
def test_case(name: str, case: dict[str, Any]) -> None:
    view = cases.view(case["given"])
    plan = planner.desired(view, cases.NOW)
    want = case["want"]
    assert want.keys() <= {"actions", "status", "no_status", "wake_in", "waiting", "conditions"}, want.keys()
    if "actions" in want:
        assert [summary(action) for action in plan.actions] == want["actions"]
    if "wake_in" in want:
        found = plan.wake_in
        assert found == (None if want["wake_in"] is None else pytest.approx(want["wake_in"], abs=0.05))
    if want.get("no_status"):
        assert plan.status is None
    if "status" in want:
        placed = "PodScheduled" in str(want["status"])
        assert not cases.mismatch(want["status"], plan.status if placed else without_placing(plan.status))
    if "conditions" in want:
        assert plan.status is not None
        conditions = {each["type"]: each for each in plan.status["conditions"]}
        assert not cases.mismatch(want["conditions"], conditions), name
    if "waiting" in want:
        assert plan.status is not None
        entries = [*plan.status.get("initContainerStatuses", ()), *plan.status["containerStatuses"]]
        assert {e["name"]: e["state"].get("waiting") for e in entries} == want["waiting"]


def without_placing(status: Any) -> dict[str, Any]:
    """Return the status without PodScheduled, which all pods on a node have and only some cases are about."""
    conditions = [each for each in status.get("conditions", ()) if each["type"] != "PodScheduled"]
    return {**status, "conditions": conditions}


def unhindered(case: dict[str, Any]) -> World:
    """Return the case's world without what is under way, which nobody would ever finish here."""
    given = {key: value for key, value in case["given"].items() if key not in ("busy", "failures")}
    return World(cases.view(given), cases.NOW)


@pytest.mark.parametrize(("name", "case"), CASES, ids=NAMES)
def test_a_plan_that_is_carried_out_leaves_nothing_to_do(name: str, case: dict[str, Any]) -> None:
    world = unhindered(case)
    world.settle()
    again = planner.desired(world.view, world.now)
    assert again.actions == (), name
    if again.status is not None and world.view.pod is not None:
        assert again.status == world.view.pod["status"]


@pytest.mark.parametrize(("name", "case"), CASES, ids=NAMES)
def test_an_interrupted_plan_comes_to_the_same_end(name: str, case: dict[str, Any]) -> None:
    whole = unhindered(case)
    plans = whole.settle()
    for stop in range(max(len(plan.actions) for plan in plans)):
        world = unhindered(case)
        for _ in range(len(plans)):
            world.step(only=stop)
        world.settle()
        assert world.outcome() == whole.outcome(), (name, stop)
