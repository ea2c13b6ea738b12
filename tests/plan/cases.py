"""Cases as data, and the laws that hold for every planner and every case.

A case file has ``given`` (objects), ``now``, ``key`` and ``want``: the plan, each part of which must be
contained in the real one; ``steps`` is how many plans with actions it takes until nothing is left to do.
"""

from __future__ import annotations

import copy
import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

from minikctl.model import objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, Plan, RecordEvent, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from tests.plan import shorthand
from tests.plan.world import World

NOW = "2026-01-01T12:00:00Z"
MOST_STEPS = 40


class Subject(Protocol):
    """A view."""

    @property
    def object(self) -> Object:
        """Return the object that the plan is about."""
        ...


@dataclass(frozen=True)
class Planner:
    """A planner under test: how its view is read from a world, and what plans for it."""

    kind: Kind
    view: Callable[[World, dict[str, Any]], Any]
    desired: Callable[[Any, datetime], Plan]
    failed: Callable[[Any, object, str, datetime], Plan] | None = None
    react: Callable[[World, dict[str, Any]], None] | None = None
    """What the rest of the cluster does after each plan, where plans only end together with it."""


@dataclass(frozen=True)
class Case:
    """One case file."""

    name: str
    body: dict[str, Any] = field(repr=False)

    @property
    def now(self) -> datetime:
        """Return the moment of the case."""
        found = objects.parse_time(str(self.body.get("now", NOW)))
        assert found is not None
        return found

    def world(self) -> World:
        """Return a new world with what is given."""
        given = [shorthand.expand(copy.deepcopy(each), self.now) for each in self.body.get("given") or ()]
        return World(given, self.now)


def load(directory: Path) -> list[Any]:
    """Return the cases of a directory as parameters, named by their files."""
    found = []
    for path in sorted(directory.glob("*.yaml")):
        found.append(pytest.param(Case(path.stem, yaml.safe_load(path.read_text())), id=path.stem))
    assert found, f"no cases in {directory}"
    return found


def check_case(planner: Planner, case: Case) -> None:
    """Fail, with a diff, unless the plan is what the case wants."""
    world = case.world()
    view = planner.view(world, case.body)
    want = case.body["want"]
    if view is None:
        assert want is None, "there is no view, so nothing is planned"
        return
    if "failed" in case.body:
        assert planner.failed is not None
        plan = planner.desired(view, case.now)
        action = next((each for each in plan.actions if not isinstance(each, RecordEvent)), None)
        plan = planner.failed(view, action, case.body["failed"], case.now)
    else:
        plan = planner.desired(view, case.now)
    actual = rendered(plan)
    wanted = {"actions": [], **(want or {})}
    narrowed = _narrowed(actual, wanted)
    if narrowed != wanted:
        pytest.fail("\n" + _diff(wanted, narrowed))


def check_laws(planner: Planner, case: Case) -> None:
    """Fail unless plans settle, and settle in the same end however they are interrupted."""
    if "failed" in case.body:
        return
    settled = case.world()
    first = planner.view(settled, case.body)
    if first is None:
        return
    steps = settle(planner, case, settled)
    if planner.react is None:
        assert steps == case.body.get("steps", min(steps, 1)), f"it took {steps} plans with actions"
    count = len(planner.desired(first, case.now).actions)
    for done in range(count + 1):
        world = case.world()
        view = planner.view(world, case.body)
        world.apply(planner.kind, view.object, planner.desired(view, case.now), only=done)
        if planner.react is not None:
            planner.react(world, case.body)
        settle(planner, case, world)
        assert world.summary() == settled.summary(), f"interrupted after {done} of {count} actions"


def settle(planner: Planner, case: Case, world: World) -> int:
    """Plan and apply until nothing is left to do; return how many plans had actions."""
    steps = 0
    for _ in range(MOST_STEPS):
        view = planner.view(world, case.body)
        if view is None:
            return steps
        plan = planner.desired(view, case.now)
        same = plan.status is None or plan.status == objects.status(view.object)
        if not plan.actions and same:
            return steps
        steps += bool(plan.actions)
        world.apply(planner.kind, view.object, plan)
        if planner.react is not None:
            planner.react(world, case.body)
    pytest.fail(f"still planning after {MOST_STEPS} plans")


def rendered(plan: Plan) -> dict[str, Any]:
    """Return the plan as data."""
    found: dict[str, Any] = {"actions": [_action(each) for each in plan.actions]}
    if plan.status is not None:
        found["status"] = plan.status
    if plan.wake_in is not None:
        found["wakeIn"] = plan.wake_in
    return found


def _name(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _action(action: ApiAction) -> dict[str, Any]:
    match action:
        case Create():
            return {**action.object, "create": f"{action.kind.kind} {_name(*objects.key(action.object))}"}
        case Update():
            subject = f"{action.kind.kind} {_name(*objects.key(action.object))}"
            return {**action.object, "update": f"{subject} {action.subresource}".strip()}
        case Patch():
            subject = f"{action.kind.kind} {_name(action.namespace, action.name)}"
            return {"patch": f"{subject} {action.subresource}".strip(), "body": action.body}
        case Delete():
            found = {"delete": f"{action.kind.kind} {_name(action.namespace, action.name)}"}
            extra = {"grace": action.grace_seconds, "propagation": action.propagation, "uid": action.uid}
            return {**found, **extra}
        case RecordEvent():
            return {"event": f"{action.type} {action.reason}: {action.message}"}


def _narrowed(actual: Any, wanted: Any) -> Any:
    """Return of the actual data only what the wanted data speaks of."""
    if isinstance(actual, dict) and isinstance(wanted, dict):
        return {name: _narrowed(actual.get(name), each) for name, each in wanted.items()}
    if isinstance(actual, list) and isinstance(wanted, list):
        pairs = zip(actual, [*wanted, *[None] * len(actual)], strict=False)
        return [_narrowed(each, like) for each, like in pairs]
    if isinstance(wanted, str) and wanted.endswith("*") and isinstance(actual, str):
        return wanted if actual.startswith(wanted[:-1]) else actual
    return actual


def _diff(wanted: Any, actual: Any) -> str:
    texts = [
        json.dumps(each, indent=2, sort_keys=True, default=str).splitlines() for each in (wanted, actual)
    ]
    return "\n".join(difflib.unified_diff(texts[0], texts[1], "wanted", "planned", lineterm="", n=30))
