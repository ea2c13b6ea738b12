"""``kubectl apply --server-side`` on objects that client-side apply made: no conflicts with itself."""

from __future__ import annotations

from typing import Any

import orjson

from minikctl.model import objects, schema
from minikctl.model.apply import fieldsets, ownership, walks
from minikctl.model.apply.fieldsets import FieldSet
from minikctl.model.apply.ownership import Conflicts, Write
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"


def applied(kind: Kind, live: Object | None, config: Object, write: Write, *, force: bool) -> Object:
    """Apply as ``ownership.applied`` does, and for the manager "kubectl" mind what it applied client-side.

    Conflicts about fields that are still as the annotation remembers them are its own.  Where the annotation
    exists, it is kept up to date, so that one can go back to client-side apply.
    """
    outcome = _without_own_conflicts(kind, live, config, write, force=force)
    if write.manager == KUBECTL and objects.annotations(outcome).get(LAST_APPLIED):
        meta = outcome["metadata"]
        meta["annotations"] = {**meta["annotations"], LAST_APPLIED: last_applied(config)}
    return outcome


def _without_own_conflicts(
    kind: Kind, live: Object | None, config: Object, write: Write, *, force: bool
) -> Object:
    try:
        return ownership.applied(kind, live, config, write, force=force)
    except Conflicts as conflicts:
        own = _still_applied(kind, live) if write.manager == KUBECTL and live else {}
        if not own:
            raise
        others = [(who, path) for who, path in conflicts.found if not fieldsets.has(own, path)]
        if others:
            raise Conflicts(others) from None
    return ownership.applied(kind, live, config, write, force=True)


def _still_applied(kind: Kind, live: Object) -> FieldSet:
    """Return the fields that were applied client-side and have not changed since."""
    try:
        remembered: Any = orjson.loads(objects.annotations(live).get(LAST_APPLIED) or "null")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(remembered, dict) or remembered.get("apiVersion") != kind.api_version:
        return {}
    node, faults = schema.root(kind), list[str]()
    fields = walks.fields(node, remembered, faults)
    if faults:
        return {}
    changed, removed = walks.compare(node, remembered, live)
    return fieldsets.difference(fieldsets.difference(fields, changed), removed)


def last_applied(config: Object) -> str:
    """Return the annotation's text for a configuration."""
    meta = objects.meta(config)
    annotations = {name: text for name, text in objects.annotations(config).items() if name != LAST_APPLIED}
    bare = {**config, "metadata": {**meta, "annotations": annotations}} if "annotations" in meta else config
    return orjson.dumps(bare, option=orjson.OPT_SORT_KEYS).decode() + "\n"
