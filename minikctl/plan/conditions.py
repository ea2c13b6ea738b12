"""Status conditions: lists in which each type occurs once and times tell what changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from minikctl.model import objects

Condition = dict[str, Any]


def find(conditions: Iterable[Condition], wanted: str) -> Condition | None:
    """Return the condition of that type, if there is one."""
    return next((each for each in conditions if each.get("type") == wanted), None)


def without(conditions: Iterable[Condition], unwanted: str) -> list[Condition]:
    """Return the conditions except the one of that type."""
    return [each for each in conditions if each.get("type") != unwanted]


def new(kind: str, status: str, reason: str, message: str, now: datetime) -> Condition:
    """Return a condition that begins now."""
    return {
        "type": kind,
        "status": status,
        "lastTransitionTime": objects.timestamp(now),
        "reason": reason,
        "message": message,
    }


def put(conditions: Iterable[Condition], wanted: Condition) -> list[Condition]:
    """Return the conditions with this one at the end, or unchanged if its status and reason are the same.

    The transition time stays while the status does.
    """
    found = list(conditions)
    current = find(found, wanted["type"])
    if current is None:
        return [*found, wanted]
    if current.get("status") == wanted["status"] and current.get("reason") == wanted["reason"]:
        return found
    return [*without(found, wanted["type"]), carried(current, wanted)]


def carried(current: Condition | None, wanted: Condition) -> Condition:
    """Return the wanted condition, with the transition time of the current one if the status is the same."""
    if current is None or current.get("status") != wanted["status"]:
        return wanted
    return {**wanted, "lastTransitionTime": current.get("lastTransitionTime")}


_TELLING = ("status", "reason", "message", "observedGeneration")


def refreshed(conditions: Iterable[Condition], wanted: Condition) -> list[Condition]:
    """Return the conditions with this one in its old place, replaced if anything but its times differs."""
    found = list(conditions)
    for index, current in enumerate(found):
        if current.get("type") == wanted["type"]:
            same = all(current.get(name) == wanted.get(name) for name in _TELLING)
            found[index] = current if same else carried(current, wanted)
            return found
    return [*found, wanted]
