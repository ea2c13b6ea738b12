"""PriorityClass."""

from __future__ import annotations

from collections.abc import Iterator

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object

HIGHEST = 1_000_000_000
"""The highest value that users may give."""

SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
"""What Kubernetes itself defines."""


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a PriorityClass."""
    return list(_create(obj)) if old is None else list(_update(obj, old))


def _create(obj: Object) -> Iterator[Cause]:
    name, value = objects.name(obj), obj.get("value") or 0
    if name.startswith("system-"):
        fault = _system(name, value, bool(obj.get("globalDefault")))
        if fault:
            detail = "priority class names with 'system-' prefix are reserved for system use only. error: "
            yield causes.forbidden("metadata.name", f"{detail}{fault}")
    elif value > HIGHEST:
        detail = f"maximum allowed value of a user defined priority is {HIGHEST}"
        yield causes.forbidden("value", detail)


def _system(name: str, value: int, is_default: bool) -> str:
    if name not in SYSTEM:
        return f"{name} is not a known system priority class"
    if value != SYSTEM[name]:
        return f"value of {name} PriorityClass must be {SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if is_default else ""


def _update(obj: Object, old: Object) -> Iterator[Cause]:
    if (obj.get("value") or 0) != (old.get("value") or 0):
        yield causes.forbidden("value", "may not be changed in an update.")
    if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
        yield causes.invalid("preemptionPolicy", obj.get("preemptionPolicy"), "field is immutable")
