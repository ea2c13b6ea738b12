"""The quality of service of a pod, which its containers' requests and limits decide."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from minikctl.model import quantity
from minikctl.model.objects import Object


def qos_class(pod: Object) -> str:
    """Return Guaranteed, Burstable or BestEffort by the CPU and memory of the pod, else of all containers."""
    spec = pod.get("spec") or {}
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    if spec.get("resources"):
        containers = (spec,)
    if not any(_positive(container, side) for container in containers for side in ("requests", "limits")):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(container) for container in containers) else "Burstable"


def _amount(container: dict[str, Any], side: str, resource: str) -> str | None:
    found = ((container.get("resources") or {}).get(side) or {}).get(resource)
    return None if found is None else str(found)


def _positive(container: Object, side: str) -> bool:
    amounts: Iterable[str | None] = (_amount(container, side, name) for name in ("cpu", "memory"))
    return any(amount is not None and quantity.parse(amount) > 0 for amount in amounts)


def _guaranteed(container: Object) -> bool:
    for name in ("cpu", "memory"):
        limit = _amount(container, "limits", name)
        request = _amount(container, "requests", name) or limit
        if limit is None or request is None or quantity.compare(limit, request):
            return False
    return True
