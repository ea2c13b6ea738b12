"""DaemonSet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import shares, workload


def default(obj: Object) -> None:
    """Complete a DaemonSet: the rolling update's steps and the pod template."""
    strategy = objects.spec(obj).get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        steps = strategy.setdefault("rollingUpdate", {})
        steps.setdefault("maxUnavailable", 1)
        steps.setdefault("maxSurge", 0)
    workload.default_replica_set(obj)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a DaemonSet."""
    spec = objects.spec(obj)
    found = [*workload.selected(spec, "daemonset", "DaemonSet"), *_strategy(spec)]
    return [*found, *workload.immutable_selector(spec, old)]


def _strategy(spec: dict[str, Any]) -> Iterator[Cause]:
    path, strategy = "spec.updateStrategy.rollingUpdate", spec.get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return
    steps = strategy.get("rollingUpdate") or {}
    surge, unavailable = steps.get("maxSurge"), steps.get("maxUnavailable")
    faults = [
        *shares.number(f"{path}.maxUnavailable", unavailable),
        *shares.number(f"{path}.maxSurge", surge),
    ]
    yield from faults
    if faults:
        return
    surges, misses = not shares.is_zero(surge or 0), not shares.is_zero(unavailable or 0)
    if surges and misses:
        yield causes.invalid(f"{path}.maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    elif not surges and not misses:
        yield causes.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")
