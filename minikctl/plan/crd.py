"""CustomResourceDefinitions: which names they get, when they are established, and how they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Delete, Plan, Update
from minikctl.model.custom.lifecycle import CLEANUP
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import conditions

LOOK_AGAIN_SECONDS = 5.0
"""While objects wait for their finalizers, nobody may be watching them."""

Names = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A definition, the names that others of its group have, and while it is being deleted its objects."""

    object: Object
    taken: tuple[Names, ...] = ()
    kind: Kind | None = None
    contents: tuple[Object, ...] = ()


def desired(view: View, now: datetime) -> Plan:
    """Return what is accepted of the definition, or how its end goes on."""
    if objects.is_deleting(view.object):
        return _ending(view, now)
    status = _named(view, now)
    return Plan(status=status)


# --- names ------------------------------------------------------------------------------------------------


def _named(view: View, now: datetime) -> dict[str, Any]:
    wanted: Names = objects.spec(view.object)["names"]
    status = objects.status(view.object)
    accepted: Names = status.get("acceptedNames") or {}
    resources, titles = _taken(view.taken)
    found, trouble = dict(accepted), ("", "")
    for field in ("plural", "singular", "kind", "listKind"):
        used = titles if field in ("kind", "listKind") else resources
        name = str(wanted.get(field) or "")
        if name != accepted.get(field) and name in used:
            trouble = (f"{field[0].upper()}{field[1:]}Conflict", f'"{name}" is already in use')
        else:
            found[field] = name
    clashes = [name for name in wanted.get("shortNames") or () if name in resources]
    if clashes:
        listed = [f'"{name}" is already in use' for name in clashes]
        trouble = ("ShortNamesConflict", listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]")
    else:
        found["shortNames"] = list(wanted.get("shortNames") or ())
    found["categories"] = list(wanted.get("categories") or ())
    found = {field: value for field, value in found.items() if value}
    return {**status, "acceptedNames": found, "conditions": _conditions(status, trouble, now)}


def _taken(others: tuple[Names, ...]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    titles: set[str] = set()
    for names in others:
        resources.update(
            [names.get("plural", ""), names.get("singular", ""), *(names.get("shortNames") or ())]
        )
        titles.update([names.get("kind", ""), names.get("listKind", "")])
    return resources - {""}, titles - {""}


def _conditions(status: Mapping[str, Any], trouble: tuple[str, str], now: datetime) -> list[dict[str, Any]]:
    found = list(status.get("conditions") or ())
    reason, message = trouble
    if reason:
        accepted = conditions.new("NamesAccepted", "False", reason, message, now)
    else:
        accepted = conditions.new("NamesAccepted", "True", "NoConflicts", "no conflicts found", now)
    found = conditions.refreshed(found, accepted)
    current = conditions.find(found, "Established")
    if current is not None and current["status"] == "True":
        return found
    if reason:
        established = conditions.new("Established", "False", "NotAccepted", "not all names are accepted", now)
    else:
        text = "the initial names have been accepted"
        established = conditions.new("Established", "True", "InitialNamesAccepted", text, now)
    return conditions.refreshed(found, established)


# --- the end ----------------------------------------------------------------------------------------------


def _ending(view: View, now: datetime) -> Plan:
    """Return the deletion of the objects, then the release of the definition."""
    crd = view.object
    held = list(objects.meta(crd).get("finalizers") or ())
    if CLEANUP not in held:
        return Plan()
    if view.kind is not None and view.contents:
        kind = view.kind
        deletions = tuple(
            Delete(kind, *objects.key(each), objects.uid(each))
            for each in view.contents
            if not objects.is_deleting(each)
        )
        told = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
        return Plan(deletions, _terminating(crd, told, now), wake_in=LOOK_AGAIN_SECONDS)
    told = ("False", "InstanceDeletionCompleted", "removed all instances")
    if view.kind is None:
        told = ("False", "NeverEstablished", "resource was never established")
    status = _terminating(crd, told, now)
    if status != objects.status(crd):
        return Plan(status=status)
    kept = [each for each in held if each != CLEANUP]
    released = {**crd, "metadata": {**objects.meta(crd), "finalizers": kept}}
    return Plan((Update(kinds.CUSTOM_RESOURCE_DEFINITION, released),))


def _terminating(crd: Object, told: tuple[str, str, str], now: datetime) -> dict[str, Any]:
    status = objects.status(crd)
    wanted = conditions.new("Terminating", *told, now)
    return {**status, "conditions": conditions.refreshed(status.get("conditions") or (), wanted)}


def failed(view: View, action: object, message: str, now: datetime) -> Plan:
    """Return what tells the user that some object was refused to be deleted."""
    if not isinstance(action, Delete):
        return Plan()
    told = ("True", "InstanceDeletionFailed", f"could not issue all deletes: {message}")
    return Plan(status=_terminating(view.object, told, now))
