"""Namespace: one that is deleted is emptied, then let go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Delete, Plan, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import conditions

FINALIZER = "kubernetes"
LOOK_AGAIN_SECONDS = 5.0
"""Contents of kinds that nobody follows are looked for that often while a namespace waits for its end."""

_DONE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentRemoved", "All content successfully removed"),
}


Contents = tuple[tuple[Kind, tuple[Object, ...]], ...]


@dataclass(frozen=True)
class View:
    """A Namespace and everything in it, by kind; the contents matter only once it is being deleted."""

    object: Object
    contents: Contents = ()


def desired(view: View, now: datetime) -> Plan:
    """Return the deletions, then what is being waited for, then the release of the namespace.

    Pods go first, and all else stays until they are gone: a policy that shuts them in holds to their end.
    """
    namespace = view.object
    finalizers = list(objects.spec(namespace).get("finalizers") or ())
    if not objects.is_deleting(namespace) or FINALIZER not in finalizers:
        return Plan()
    remaining = tuple((kind, found) for kind, found in view.contents if found)
    deletions = [
        Delete(kind, *objects.key(each), objects.uid(each))
        for kind, found in _first(remaining)
        for each in found
        if not objects.is_deleting(each)
    ]
    if deletions:
        return Plan(tuple(deletions), wake_in=LOOK_AGAIN_SECONDS)
    if remaining:
        trouble = _waiting(_first(remaining))
        return Plan(status=_status(namespace, trouble, now), wake_in=LOOK_AGAIN_SECONDS)
    rest = [each for each in finalizers if each != FINALIZER]
    released = {**namespace, "spec": {**objects.spec(namespace), "finalizers": rest}}
    return Plan((Update(kinds.NAMESPACE, released, "finalize"),))


def _first(remaining: Contents) -> Contents:
    """Return what is to go now: the pods, and without pods all there is."""
    return tuple(each for each in remaining if each[0] is kinds.POD) or remaining


def failed(view: View, action: object, message: str, now: datetime) -> Plan:
    """Return what tells the user that some content was refused to be deleted."""
    if not isinstance(action, Delete):
        return Plan()
    text = f"Failed to delete all resource types, 1 remaining: {message}"
    trouble = {"NamespaceDeletionContentFailure": ("ContentDeletionFailed", text)}
    return Plan(status=_status(view.object, trouble, now))


def _waiting(remaining: Iterable[tuple[Kind, tuple[Object, ...]]]) -> dict[str, tuple[str, str]]:
    resources = []
    finalizers: Counter[str] = Counter()
    for kind, found in remaining:
        resources.append(f"{kind.plural}.{kind.group} has {len(found)} resource instances")
        for each in found:
            finalizers.update(objects.meta(each).get("finalizers") or ())
    text = f"Some resources are remaining: {', '.join(sorted(resources))}"
    trouble = {"NamespaceContentRemaining": ("SomeResourcesRemain", text)}
    if finalizers:
        held = sorted(f"{name} in {count} resource instances" for name, count in finalizers.items())
        text = f"Some finalizers are remaining: {', '.join(held)}"
        trouble["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    return trouble


def _status(namespace: Object, trouble: dict[str, tuple[str, str]], now: datetime) -> dict[str, Any]:
    found = list(objects.status(namespace).get("conditions") or ())
    for kind, done in _DONE.items():
        reason, message = trouble.get(kind, done)
        status = "True" if kind in trouble else "False"
        found = conditions.refreshed(found, conditions.new(kind, status, reason, message, now))
    return {**objects.status(namespace), "phase": "Terminating", "conditions": found}
