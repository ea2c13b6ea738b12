"""Several versions of one custom kind with the same fields: objects are kept in one and shown in any."""

from __future__ import annotations

import json
from collections.abc import Sequence

from minikctl.model.kind import Kind
from minikctl.model.objects import Object


def shaped(kind: Kind, obj: Object) -> Object:
    """Return a copy of an object of another version as that kind has it, pruned and completed."""
    assert kind.shape is not None, "only custom kinds have versions"
    found: Object = json.loads(json.dumps(obj))
    found["apiVersion"] = kind.api_version
    kind.shape.drop_unknown(found)
    kind.shape.apply_defaults(found)
    return found


class SameFields:
    """Conversion strategy None: only apiVersion changes.  Fits ``model.kind.Versions``."""

    def __init__(self, kept_in: Kind) -> None:
        self._kept_in = kept_in
        self.kinds: dict[str, Kind] = {}

    def read(self, kind: Kind, kept: Object) -> Object:
        """Return a kept object in the version of ``kind``."""
        return kept if kept.get("apiVersion") == kind.api_version else shaped(kind, kept)

    async def keep(self, obj: Object) -> Object:
        """Return the object as it is kept."""
        return self.read(self._kept_in, obj)

    async def prepare(self, kind: Kind, found: Sequence[Object]) -> None:
        """Nothing has to be prepared."""
