"""What deleting an object does to it: gone at once, or marked and left for its agent and finalizers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from minikctl import errors
from minikctl.client.base import DeleteOptions
from minikctl.model import objects
from minikctl.model.custom import lifecycle
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"

PROTECTED = ("default", "kube-system", "kube-public")


@dataclass(frozen=True)
class Remove:
    """Nothing holds the object: it goes now."""


@dataclass(frozen=True)
class Mark:
    """The object stays, with this content, until its agent or its finalizers are done."""

    object: Object


def check(kind: Kind, obj: Object, options: DeleteOptions) -> None:
    """Raise the refusal of a delete whose preconditions do not hold."""
    name = objects.name(obj)
    if options.uid and options.uid != objects.uid(obj):
        raise errors.conflict(
            kind.plural,
            kind.group,
            name,
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({objects.uid(obj)}). The object might have been deleted and then recreated",
        )
    version = objects.resource_version(obj)
    if options.resource_version and options.resource_version != version:
        raise errors.conflict(
            kind.plural,
            kind.group,
            name,
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified",
        )
    if kind.builtin == "Namespace" and name in PROTECTED:
        raise errors.forbidden(kind.plural, kind.group, name, "this namespace may not be deleted")


def decide(kind: Kind, obj: Object, options: DeleteOptions, now: datetime) -> Remove | Mark | None:
    """Return what to do; None: deletion goes on already and this request changes nothing."""
    finalizers = _finalizers(obj, options)
    if _begins_cleanup(kind, obj) and lifecycle.CLEANUP not in finalizers:
        finalizers.append(lifecycle.CLEANUP)
    grace = _grace(kind, obj, options)
    held = bool(finalizers) or grace > 0 or _is_full_namespace(kind, obj)
    if not held:
        return Remove()
    marked = _marked(kind, obj, finalizers, grace, now)
    return None if marked == obj else Mark(marked)


def is_finished(kind: Kind, obj: Object) -> bool:
    """Tell whether nothing holds a marked object any longer, so that an update of it is its end."""
    meta = objects.meta(obj)
    return (
        objects.is_deleting(obj)
        and not meta.get("finalizers")
        and not meta.get("deletionGracePeriodSeconds")
        and not _is_full_namespace(kind, obj)
    )


def _is_full_namespace(kind: Kind, obj: Object) -> bool:
    return kind.builtin == "Namespace" and bool(objects.spec(obj).get("finalizers"))


def _begins_cleanup(kind: Kind, obj: Object) -> bool:
    """Tell whether this is the first request to delete a definition: its objects have to go first."""
    return kind.builtin == "CustomResourceDefinition" and not objects.is_deleting(obj)


def _finalizers(obj: Object, options: DeleteOptions) -> list[str]:
    wanted = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.propagation)
    found = list(objects.meta(obj).get("finalizers") or ())
    if wanted is None:
        return found
    kept = [each for each in found if each not in (FOREGROUND, ORPHAN)]
    return [*kept, wanted]


def _grace(kind: Kind, obj: Object, options: DeleteOptions) -> int:
    """Return the seconds that the object is still given; only Pods have an agent that needs them."""
    if kind.builtin != "Pod":
        return 0
    spec = objects.spec(obj)
    wanted = options.grace_seconds
    if wanted is None:
        wanted = spec.get("terminationGracePeriodSeconds", 30)
    if not spec.get("nodeName") or objects.status(obj).get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = 1 if wanted < 0 else int(wanted)
    if objects.is_deleting(obj):
        return min(seconds, int(objects.meta(obj).get("deletionGracePeriodSeconds") or 0))
    return seconds


def _marked(kind: Kind, obj: Object, finalizers: list[str], grace: int, now: datetime) -> Object:
    meta: dict[str, Any] = {**objects.meta(obj)}
    if finalizers:
        meta["finalizers"] = finalizers
    if not objects.is_deleting(obj):
        meta["deletionTimestamp"] = objects.timestamp(now + timedelta(seconds=grace))
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    elif grace < int(meta.get("deletionGracePeriodSeconds") or 0):
        # A shorter grace period moves the end forward; it can never be put off.
        meta["deletionTimestamp"] = objects.timestamp(min(now + timedelta(seconds=grace), _end(meta, now)))
        meta["deletionGracePeriodSeconds"] = grace
    marked = {**obj, "metadata": meta}
    if _begins_cleanup(kind, obj):
        marked["status"] = lifecycle.mark(obj, objects.timestamp(now))
    if kind.builtin == "Namespace":
        marked["status"] = {**objects.status(obj), "phase": "Terminating"}
    return marked


def _end(meta: dict[str, Any], now: datetime) -> datetime:
    return objects.parse_time(meta.get("deletionTimestamp")) or now
