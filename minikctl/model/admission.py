"""The one entry through which the API server completes and judges what it is about to store."""

from __future__ import annotations

from minikctl.model import metadata, schema
from minikctl.model.kind import Cause, Kind
from minikctl.model.objects import Object


def complete(kind: Kind, obj: Object) -> None:
    """Set the kind's defaults in place, as far as the object's structure allows."""
    schema.apply_defaults(kind, obj)
    if not schema.check(kind, obj, None):
        kind.default(obj)


def prepare(kind: Kind, obj: Object, old: Object | None) -> list[Cause]:
    """Complete the object in place and return what breaks its rules; ``old`` is None when it is created.

    The object's JSON types are already known to fit (``decoding.decode_errors``); name and namespace are set.
    """
    schema.apply_defaults(kind, obj)
    structure = schema.check(kind, obj, old)
    if any(cause["reason"] == "FieldValueTypeInvalid" for cause in structure):
        return structure
    kind.default(obj)
    found = [*metadata.validate(kind, obj, old), *structure, *kind.validate(obj, old)]
    return list({(cause["field"], cause["message"]): cause for cause in found}.values())
