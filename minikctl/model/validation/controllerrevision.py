"""ControllerRevision."""

from __future__ import annotations

from minikctl.model import causes
from minikctl.model.kind import Cause
from minikctl.model.objects import Object


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ControllerRevision."""
    found: list[Cause] = []
    if obj.get("data") is None:
        found.append(causes.required("data", "data is mandatory"))
    revision = obj.get("revision") or 0
    if revision < 0:
        found.append(causes.invalid("revision", revision, "must be greater than or equal to 0"))
    if old is not None and obj.get("data") != old.get("data"):
        found.append(causes.invalid("data", obj.get("data"), "field is immutable"))
    return found
