"""Owners and dependents: what happens to an object when those that own it are deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from minikctl.model import objects
from minikctl.model.actions.api import ApiAction, Delete, Plan, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

OwnerState = Literal["present", "waiting", "absent", "unknown"]


@dataclass(frozen=True)
class Owner:
    """An owner reference and what became of the owner.

    "waiting": it is being deleted and stays until its dependents are gone.  "unknown": of a kind that is not
    served, so that nothing can be said of it.
    """

    uid: str
    state: OwnerState


@dataclass(frozen=True)
class Dependent:
    """An object that refers to another one as its owner."""

    kind: Kind
    object: Object


@dataclass(frozen=True)
class View:
    """An object with the owners that it names and the objects that name it as theirs."""

    kind: Kind
    object: Object
    owners: tuple[Owner, ...] = ()
    dependents: tuple[Dependent, ...] = ()


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return what ownership asks for: a deletion, fewer references, or the release of a waiting owner."""
    if objects.is_deleting(view.object):
        return Plan(_release(view))
    gone = {owner.uid for owner in view.owners if owner.state in ("absent", "waiting")}
    if not gone:
        return Plan()
    if len(gone) < len({owner.uid for owner in view.owners}):
        return Plan((Update(view.kind, _without_owners(view.object, gone)),))
    if _is_in_circle(view) and blocked(view.object):
        return Plan((Update(view.kind, _unblocking(view.object)),))
    return Plan((_deletion(view),))


def _is_in_circle(view: View) -> bool:
    """Whether both an owner and a dependent wait for their dependents: perhaps for each other.

    Such an object gives up blocking its owners before it is deleted, as otherwise nobody of a circle could go
    first.  Kubernetes' garbage collector tells circles by the same sign.
    """
    waiting = any(owner.state == "waiting" for owner in view.owners)
    return waiting and any(waits(each.object, FOREGROUND) for each in view.dependents)


def _deletion(view: View) -> Delete:
    finalizers = _finalizers(view.object)
    waiting = any(owner.state == "waiting" for owner in view.owners)
    if (waiting and view.dependents) or FOREGROUND in finalizers:
        propagation = "Foreground"
    else:
        propagation = "Orphan" if ORPHAN in finalizers else "Background"
    return Delete(view.kind, *objects.key(view.object), objects.uid(view.object), propagation=propagation)


def _release(view: View) -> tuple[ApiAction, ...]:
    """Take off the finalizers by which an owner waits for its dependents, once they are dealt with."""
    finalizers = _finalizers(view.object)
    if ORPHAN in finalizers:
        uid = objects.uid(view.object)
        orphaned = tuple(Update(each.kind, _without_owners(each.object, {uid})) for each in view.dependents)
        return (*orphaned, Update(view.kind, _without_finalizer(view.object, ORPHAN)))
    if FOREGROUND in finalizers and not any(_blocks(each.object, view.object) for each in view.dependents):
        return (Update(view.kind, _without_finalizer(view.object, FOREGROUND)),)
    return ()


def _finalizers(obj: Object) -> list[str]:
    return list(objects.meta(obj).get("finalizers") or ())


def _references(obj: Object) -> list[dict[str, Any]]:
    return list(objects.meta(obj).get("ownerReferences") or ())


def waits(obj: Object, *finalizers: str) -> bool:
    """Whether an object is being deleted and stays for its dependents' sake, by one of the finalizers."""
    held = _finalizers(obj)
    return objects.is_deleting(obj) and any(each in held for each in finalizers or (FOREGROUND, ORPHAN))


def blocked(obj: Object) -> set[str]:
    """Return the UIDs of the owners that wait until the object is gone."""
    return {str(each.get("uid")) for each in _references(obj) if each.get("blockOwnerDeletion")}


def _unblocking(obj: Object) -> Object:
    kept = [{**each, "blockOwnerDeletion": False} for each in _references(obj)]
    return {**obj, "metadata": {**objects.meta(obj), "ownerReferences": kept}}


def _blocks(dependent: Object, owner: Object) -> bool:
    return objects.uid(owner) in blocked(dependent)


def _without_owners(obj: Object, uids: set[str]) -> Object:
    kept = [each for each in _references(obj) if each.get("uid") not in uids]
    return {**obj, "metadata": {**objects.meta(obj), "ownerReferences": kept}}


def _without_finalizer(obj: Object, name: str) -> Object:
    kept = [each for each in _finalizers(obj) if each != name]
    return {**obj, "metadata": {**objects.meta(obj), "finalizers": kept}}
