"""Which actions of a plan may run at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never

from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.model.objects import Key

MAX_CONCURRENT = 64


@dataclass(frozen=True)
class Unit:
    """One action and the Events that tell of its success."""

    action: api.ApiAction
    events: tuple[api.RecordEvent, ...] = ()


def units(actions: Iterable[api.ApiAction]) -> Iterator[Unit]:
    """Group each action with the Events that directly follow it."""
    pending: api.ApiAction | None = None
    events: list[api.RecordEvent] = []
    for action in actions:
        if isinstance(action, api.RecordEvent) and pending is not None:
            events.append(action)
            continue
        if pending is not None:
            yield Unit(pending, tuple(events))
        events = []
        pending = None if isinstance(action, api.RecordEvent) else action
        if pending is None:
            yield Unit(action)
    if pending is not None:
        yield Unit(pending, tuple(events))


def batches(found: Iterable[Unit]) -> Iterator[list[Unit]]:
    """Split into parts that may run at once, in order; what touches the same object stays in order.

    Creations start slowly (1, 2, 4, …) so that a refusal is met once and not by each of hundreds.
    """
    for (action_type, _), group in itertools.groupby(found, key=_batch_key):
        left = list(group)
        size = _FIRST_BATCH.get(action_type, 1)
        while left:
            count = _distinct(left[:size])
            yield left[:count]
            left = left[count:]
            if action_type is api.Create:
                size = min(size * 2, MAX_CONCURRENT)


_FIRST_BATCH: dict[type[Any], int] = {api.Create: 1, api.Delete: MAX_CONCURRENT, api.Patch: MAX_CONCURRENT}


def _distinct(found: list[Unit]) -> int:
    """Return how many of the units, from the first on, are about different objects."""
    seen: set[Key] = set()
    for unit in found:
        key = _key(unit.action)
        if key in seen:
            break
        seen.add(key)
    return max(len(seen), 1)


def _key(action: api.ApiAction) -> Key:
    match action:
        case api.Create() | api.Update():
            return objects.key(action.object)
        case api.Patch() | api.Delete():
            return action.namespace, action.name
        case api.RecordEvent():
            return objects.key(action.regarding)
        case _:
            assert_never(action)


def _batch_key(unit: Unit) -> tuple[type[Any], str]:
    action = unit.action
    return type(action), "" if isinstance(action, api.RecordEvent) else action.kind.resource
