"""Node."""

from __future__ import annotations

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a Node: the same taint twice."""
    found, seen = [], set()
    for index, taint in enumerate(objects.spec(obj).get("taints") or ()):
        identity = (taint.get("key"), taint.get("effect"))
        if identity in seen:
            found.append(causes.duplicate(f"spec.taints[{index}]", taint))
        seen.add(identity)
    return found
