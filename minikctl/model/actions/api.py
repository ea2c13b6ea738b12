"""Plans as data: what a planner asks of the API."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object


@dataclass(frozen=True)
class Create:
    """Create the object; AlreadyExists means done."""

    kind: Kind
    object: Object


@dataclass(frozen=True)
class Update:
    """Replace the object as read at its resourceVersion; Conflict means: plan again."""

    kind: Kind
    object: Object
    subresource: str = ""


@dataclass(frozen=True)
class Patch:
    """Merge-patch the object (RFC 7386); NotFound means done."""

    kind: Kind
    namespace: str
    name: str
    body: dict[str, Any]
    subresource: str = ""


@dataclass(frozen=True)
class Delete:
    """Delete the object if it still is that uid; NotFound and a changed uid mean done."""

    kind: Kind
    namespace: str
    name: str
    uid: str = ""
    grace_seconds: int | None = None
    propagation: str = "Background"


@dataclass(frozen=True)
class RecordEvent:
    """Record an Event about ``regarding``; ``type`` is Normal or Warning; equal ones are counted up."""

    regarding: Object
    type: str
    reason: str
    message: str
    component: str
    field_path: str = ""


ApiAction = Create | Update | Patch | Delete | RecordEvent


@dataclass(frozen=True)
class Plan:
    """What to do now, in order, and when to look again at the latest (seconds; None: on the next change).

    ``status`` is the whole status to write when it differs from the stored one; None leaves it.
    """

    actions: tuple[Any, ...] = ()
    status: dict[str, Any] | None = None
    wake_in: float | None = None
    notes: tuple[str, ...] = field(default=())
