"""ControllerRevisions: the pod templates that a StatefulSet or DaemonSet has had, numbered in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from minikctl.model import kinds, names, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch
from minikctl.model.objects import Object
from minikctl.plan import claims, templates

NAME_LIMIT = 223
"""Names of revisions have room for their hash: an owner's name is cut at this length."""
_LARGEST = 2**31 - 1


@dataclass(frozen=True)
class History:
    """An owner's revisions from the oldest to the newest, and the one of its present template.

    ``actions`` store that one first if it is not stored yet, or make it the newest; nothing else is to be
    planned until then.  ``collisions`` is higher than the status says if a stranger has the name.
    """

    revisions: tuple[Object, ...]
    wanted: Object
    collisions: int
    actions: tuple[ApiAction, ...] = ()

    def named(self, name: str) -> Object | None:
        """Return the revision of that name, if there is one."""
        return next((each for each in self.revisions if objects.name(each) == name), None)


def of(owner: Object, candidates: Iterable[Object], hash_label: str) -> History:
    """Return the owner's history; ``candidates`` may hold strangers whose names are taken.

    ``hash_label`` is the label in which the revision carries its hash.
    """
    known = list(candidates)
    owned = sorted((each for each in known if claims.is_owned(each, owner)), key=_order)
    collisions = int(objects.status(owner).get("collisionCount") or 0)
    number = _number(owned[-1]) + 1 if owned else 1
    wanted = made(owner, number, collisions, hash_label)
    equal = [each for each in owned if template(each) == template(wanted)]
    if not equal:
        taken = {objects.name(each) for each in known}
        if objects.name(wanted) in taken:
            return History(tuple(owned), wanted, collisions + 1)
        return History(tuple(owned), wanted, collisions, (Create(kinds.CONTROLLER_REVISION, wanted),))
    found = equal[-1]
    if found is owned[-1]:
        return History(tuple(owned), found, collisions)
    namespace, name = objects.key(found)
    renumbered = Patch(kinds.CONTROLLER_REVISION, namespace, name, {"revision": number})
    return History(tuple(owned), found, collisions, (renumbered,))


def made(owner: Object, number: int, collisions: int, hash_label: str) -> Object:
    """Return the revision of the owner's present template."""
    shape = objects.spec(owner).get("template") or {}
    suffix = names.template_hash(templates.canonical(shape), collisions)
    labels = (shape.get("metadata") or {}).get("labels") or {}
    metadata: dict[str, Any] = {
        "name": f"{objects.name(owner)[:NAME_LIMIT]}-{suffix}",
        "namespace": objects.namespace(owner),
        "labels": {**labels, hash_label: suffix},
        "ownerReferences": [objects.owner_reference(owner)],
    }
    if objects.annotations(owner):
        metadata["annotations"] = dict(objects.annotations(owner))
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": _sorted({"spec": {"template": {"$patch": "replace", **shape}}}),
        "revision": number,
    }


def _sorted(value: Any) -> Any:
    """Return the value with its fields in order, as Go writes maps: who compares revisions compares bytes."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def template(revision: Object) -> Any:
    """Return the pod template that the revision holds, such that equal ones make equal pods."""
    return templates.canonical(shape(revision))


def shape(revision: Object) -> Object:
    """Return the pod template that the revision holds."""
    found = ((revision.get("data") or {}).get("spec") or {}).get("template") or {}
    return {name: each for name, each in found.items() if name != "$patch"}


def surplus(history: History, live: Iterable[str], limit: int | None) -> tuple[Delete, ...]:
    """Return the deletion of the oldest revisions beyond the limit, sparing those whose names are live."""
    kept = set(live)
    old = [each for each in history.revisions if objects.name(each) not in kept]
    excess = len(old) - (10 if limit is None else min(limit, _LARGEST))
    return tuple(
        Delete(kinds.CONTROLLER_REVISION, *objects.key(each), objects.uid(each))
        for each in old[: max(excess, 0)]
    )


def _number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


def _order(revision: Object) -> tuple[int, str, str]:
    created = str(objects.meta(revision).get("creationTimestamp") or "")
    return _number(revision), created, objects.name(revision)
