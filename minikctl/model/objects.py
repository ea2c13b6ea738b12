"""Reading Kubernetes objects: accessors that never fail on a sparse object.

Objects are plain JSON ``dict``s.  One that came from a cache is shared, so it is read, never changed.
"""

# No ``from __future__ import annotations`` here: a function of that name is defined below.
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]
"""(namespace, name); namespace is "" for cluster-scoped objects."""


def meta(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the object's metadata, empty if it has none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def name(obj: Mapping[str, Any]) -> str:
    """Return metadata.name or ""."""
    return str(meta(obj).get("name") or "")


def namespace(obj: Mapping[str, Any]) -> str:
    """Return metadata.namespace or ""."""
    return str(meta(obj).get("namespace") or "")


def key(obj: Mapping[str, Any]) -> Key:
    """Return (namespace, name)."""
    return namespace(obj), name(obj)


def uid(obj: Mapping[str, Any]) -> str:
    """Return metadata.uid or ""."""
    return str(meta(obj).get("uid") or "")


def resource_version(obj: Mapping[str, Any]) -> str:
    """Return metadata.resourceVersion or ""."""
    return str(meta(obj).get("resourceVersion") or "")


def generation(obj: Mapping[str, Any]) -> int:
    """Return metadata.generation or 0."""
    return int(meta(obj).get("generation") or 0)


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels, never None."""
    return meta(obj).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    """Return the annotations, never None."""
    return meta(obj).get("annotations") or {}


def spec(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return spec, never None."""
    return obj.get("spec") or {}


def containers(pod_spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all containers of a pod's spec: init, app and ephemeral ones."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod_spec.get(field) or ()


def status(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return status, never None."""
    return obj.get("status") or {}


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Tell whether deletion has been asked for."""
    return bool(meta(obj).get("deletionTimestamp"))


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the owner reference with controller=true, if there is one."""
    for reference in meta(obj).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return None


def owner_reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the controller reference that makes ``owner`` the owner of a new object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Mapping[str, Any], wanted: str) -> dict[str, Any] | None:
    """Return the status condition of that type, if there is one."""
    for found in status(obj).get("conditions") or ():
        if found.get("type") == wanted:
            return dict(found)
    return None


def timestamp(moment: datetime) -> str:
    """Return metav1.Time's text: RFC 3339, UTC, whole seconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def micro_timestamp(moment: datetime) -> str:
    """Return metav1.MicroTime's text: RFC 3339, UTC, microseconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def in_utc(text: str, *, micro: bool = False) -> str:
    """Return an RFC 3339 text as Kubernetes keeps it: in UTC, in whole seconds or microseconds."""
    moment = parse_time(text)
    if moment is None:
        return text
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # the first or last day of the calendar, in another zone
        return text
    return micro_timestamp(moment) if micro else timestamp(moment)


def parse_time(text: str | None) -> datetime | None:
    """Return the moment that an RFC 3339 text names, or None for None, "" and unreadable text."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
