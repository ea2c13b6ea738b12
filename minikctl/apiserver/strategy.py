"""What the server itself decides of an object: metadata, status and generation, whatever the caller says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from minikctl import errors
from minikctl.model import objects, quality
from minikctl.model.apply import managers
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

_NOT_CONTENT = ("metadata", "status", "apiVersion", "kind")
_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_PARTS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "approval": ("status",),
    "finalize": ("spec",),
    "binding": ("spec", "status"),
    "resize": ("spec",),
    "ephemeralcontainers": (),
}
"""What each subresource may change."""
_RBAC = "rbac.authorization.k8s.io"
_MADE_BY_UPDATE = frozenset(
    (
        ("", "Endpoints"),
        ("", "Event"),
        ("", "LimitRange"),
        ("coordination.k8s.io", "Lease"),
        ("events.k8s.io", "Event"),
        ("node.k8s.io", "RuntimeClass"),
        (_RBAC, "ClusterRole"),
        (_RBAC, "ClusterRoleBinding"),
        (_RBAC, "Role"),
        (_RBAC, "RoleBinding"),
    )
)
"""Kinds that a PUT creates."""
_CONDITIONAL = frozenset(
    (
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("coordination.k8s.io", "Lease"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodDisruptionBudget"),
    )
)
"""Kinds whose updates must say which version they were made from."""
_KEEP_LABELS = ("Deployment",)
"""Kinds whose labels a write to the status does not change."""
_VERSIONS = 2**64
_DIGITS = 19
"""A number of so many digits is below ``_VERSIONS``."""
_MOST_DIGITS = 4000
"""So many digits are always read as a number."""
_NOT_KEPT = ("selfLink", "resourceVersion")


def metadata_of(obj: Object) -> dict[str, Any]:
    """Return the object's metadata for changing; an absent one is made."""
    meta = obj.get("metadata")
    if not isinstance(meta, dict):
        meta = obj["metadata"] = {}
    return meta


def begin_create(kind: Kind, obj: Object, namespace: str, now: datetime, uid: str) -> None:
    """Set, in place, what a new object starts with; refuses a foreign namespace and a resourceVersion."""
    meta = metadata_of(obj)
    if meta.get("resourceVersion"):
        raise errors.bad_request("resourceVersion should not be set on objects to be created")
    place(kind, obj, namespace)
    for field in (*_SERVER_OWNED, *_NOT_KEPT, "managedFields"):
        meta.pop(field, None)
    meta["uid"] = uid
    meta["creationTimestamp"] = objects.timestamp(now)
    if kind.has_generation:
        meta["generation"] = 1
    elif not meta.get("generation"):
        meta.pop("generation", None)
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    if "status" in kind.subresources and kind.builtin != "Node":
        obj.pop("status", None)
    if kind.builtin == "Namespace":
        obj.setdefault("spec", {})["finalizers"] = ["kubernetes"]
        _name_label(meta)


def _name_label(meta: dict[str, Any]) -> None:
    """Give a Namespace the label by which selectors can name it."""
    if meta.get("name"):
        meta["labels"] = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}


def makes_what_is_missing(kind: Kind, obj: Object) -> bool:
    """Tell whether a PUT of an object that is not there creates it: for some kinds, as ever."""
    return (kind.group, kind.kind) in _MADE_BY_UPDATE and not objects.resource_version(obj)


def same_name(obj: Object, name: str) -> None:
    """Raise 400 unless the object says the name that its URL has (apiserver's checkName)."""
    given = objects.name(obj)
    if not given:
        raise errors.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        )
    if given != name:
        raise errors.bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({name})"
        )


def same_uid(kind: Kind, uid: str, current: Object) -> None:
    """Raise 409 unless the present object is the one that a write means."""
    found = objects.uid(current)
    if uid != found:
        cause = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
        raise errors.conflict(kind.plural, kind.group, objects.name(current), cause)


def expected_version(obj: Object) -> str:
    """Return the resourceVersion that a write is meant for; "", which "0" means too, is any."""
    given = objects.resource_version(obj)
    fault = version_fault(given)
    if fault:
        raise errors.bad_request(f'metadata.resourceVersion: Invalid value: "{given}": {fault}')
    return str(int(given or 0) or "")


def version_fault(text: str) -> str:
    """Return why a text is no resourceVersion, in Go's words; "" for one that is, and for none."""
    if not text:
        return ""
    if not text.isascii() or not text.isdigit():
        return f'strconv.ParseUint: parsing "{text}": invalid syntax'
    if len(text) > _DIGITS and int(text[:_MOST_DIGITS]) >= _VERSIONS:
        return f'strconv.ParseUint: parsing "{text}": value out of range'
    return ""


def need_version(kind: Kind, obj: Object) -> None:
    """Raise 422 for an update without a resourceVersion of a kind that does not take them."""
    if (kind.group, kind.kind) in _CONDITIONAL and not expected_version(obj):
        cause = {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: 0: must be specified for an update",
            "field": "metadata.resourceVersion",
        }
        raise errors.invalid(kind.kind, kind.group, objects.name(obj), [cause])


def place(kind: Kind, obj: Object, namespace: str) -> None:
    """Put the object into the request's namespace; another one in its metadata is refused."""
    meta = metadata_of(obj)
    if not kind.namespaced:
        meta.pop("namespace", None)
        return
    given = meta.get("namespace") or namespace
    same_namespace(given, namespace)
    meta["namespace"] = namespace


def same_namespace(given: str, namespace: str) -> None:
    """Raise 400 when an object is of another namespace than its request."""
    if given != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def initial_status(kind: Kind, obj: Object) -> dict[str, Any]:
    """Return the status of a new, valid object, before any controller has seen it."""
    match kind.builtin:
        case "Pod":
            return {"phase": "Pending", "qosClass": quality.qos_class(obj)}
        case "Node":
            return objects.status(obj)
        case _:
            return dict(kind.first_status)


def begin_update(kind: Kind, new: Object, old: Object, subresource: str = "") -> Object:
    """Return what is to be stored when ``new`` replaces ``old``; ``new`` may be changed, ``old`` is not.

    With a subresource only its part of ``new`` counts; without one, the status does not.
    """
    if subresource:
        # The old object is the cache's, and completing what is stored changes it in place.
        merged = _copied({**old, "metadata": _status_metadata(kind, new, old)})
        for part in _PARTS[subresource]:
            merged[part] = new.get(part) or {}
        if subresource == "ephemeralcontainers":
            added = objects.spec(new).get("ephemeralContainers") or []
            merged["spec"] = {**objects.spec(old), "ephemeralContainers": added}
        if kind.is_custom and "status" not in new:
            merged.pop("status", None)
        return merged
    meta, before = metadata_of(new), objects.meta(old)
    if meta.get("uid"):
        same_uid(kind, meta["uid"], old)
    for field in _NOT_KEPT:
        meta.pop(field, None)
    given, owned = meta.get("managedFields"), before.get("managedFields")
    if given is None or (not owned and managers.is_reset(given)):
        set_owners(new, owned)
    for field in (*_SERVER_OWNED, "generation", "name", "namespace", "generateName"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    new["apiVersion"], new["kind"] = kind.api_version, kind.kind
    if kind.builtin == "Namespace":
        _name_label(meta)
    if "status" in kind.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = _copied(old["status"])
    return new


def _copied(part: Object) -> Object:
    copy: Object = orjson.loads(orjson.dumps(part))
    return copy


def timed(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return entries of managedFields with times as they are kept, however a client writes them."""
    return [{**each, "time": objects.in_utc(each["time"])} if each.get("time") else each for each in entries]


def _status_metadata(kind: Kind, new: Object, old: Object) -> dict[str, Any]:
    """Return the metadata after a write to a subresource: annotations, finalizers and most labels count."""
    given = objects.meta(new)
    merged = {name: value for name, value in objects.meta(old).items() if name != "resourceVersion"}
    if kind.is_custom:
        return {**merged, "managedFields": given["managedFields"]} if given.get("managedFields") else merged
    for field in (
        "managedFields",
        "annotations",
        "finalizers",
        *(() if kind.kind in _KEEP_LABELS else ("labels",)),
    ):
        if given.get(field) is not None:
            merged[field] = given[field]
        elif field != "managedFields":
            merged.pop(field, None)
    return merged


def set_owners(obj: Object, entries: Any) -> None:
    """Set metadata.managedFields in place; no entries, no field."""
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def count_generation(kind: Kind, new: Object, old: Object) -> None:
    """Raise metadata.generation, in place, when anything but metadata and status has changed."""
    if kind.has_generation and _content(kind, new) != _content(kind, old):
        new["metadata"]["generation"] = objects.generation(old) + 1


def _content(kind: Kind, obj: Object) -> dict[str, Any]:
    found = {field: value for field, value in obj.items() if field not in _NOT_CONTENT}
    if kind.is_custom and "status" not in kind.subresources and "status" in obj:
        found["status"] = obj["status"]
    return found


def is_unchanged(new: Object, old: Object) -> bool:
    """Tell whether storing ``new`` would change nothing."""
    meta = {field: value for field, value in old["metadata"].items() if field != "resourceVersion"}
    if new["metadata"] != meta:
        return False
    return {**new, "metadata": None} == {**old, "metadata": None}
