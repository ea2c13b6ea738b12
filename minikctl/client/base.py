"""The one interface through which everything in the control plane speaks to the API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

PatchType = Literal["json", "merge", "strategic", "apply"]
Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True)
class ObjectList:
    """A consistent list: ``resource_version`` is the revision to watch from."""

    items: tuple[Object, ...]
    resource_version: str


@dataclass(frozen=True)
class WatchEvent:
    """One change; ``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


@dataclass(frozen=True)
class DeleteOptions:
    """metav1.DeleteOptions; ``grace_seconds`` None means the kind's default."""

    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: Propagation = "Background"


class Client(Protocol):
    """Asynchronous typed access to the API; every failure is an ``errors.StatusError``.

    Returned objects may be shared with caches: never change them, copy first.
    ``namespace`` is "" for cluster-scoped kinds and for "all namespaces" in list and watch.
    """

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return the object as it is now."""
        ...

    async def list(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> ObjectList:
        """Return all objects that match, and the revision of the answer."""
        ...

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Store a new object, its namespace taken from its metadata; return it as stored."""
        ...

    async def update(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """Replace the object (or only its "status"); a stale resourceVersion is a conflict."""
        ...

    async def patch(
        self,
        kind: Kind,
        name: str,
        namespace: str,
        body: Any,
        *,
        type: PatchType = "merge",
        subresource: str = "",
    ) -> Object:
        """Apply the patch to what is stored and return the outcome."""
        ...

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> Object:
        """Ask for deletion; return the object as it was left."""
        ...

    def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Yield each later change in order; raises ``StatusError`` 410 if that revision is gone."""
        ...
