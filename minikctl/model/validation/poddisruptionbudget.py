"""PodDisruptionBudget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import selection, shares


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a PodDisruptionBudget."""
    return list(_spec(objects.spec(obj)))


def _spec(spec: dict[str, Any]) -> Iterator[Cause]:
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield causes.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for field in ("minAvailable", "maxUnavailable"):
        yield from shares.validate(f"spec.{field}", spec.get(field))
    if spec.get("selector") is not None:
        yield from selection.validate(spec["selector"], "spec.selector")
