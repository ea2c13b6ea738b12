"""The API for callers in the same process: no HTTP and no JSON in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from minikctl.apiserver import patching
from minikctl.apiserver.options import DeleteOptions, ListOptions, PatchOptions, PatchType, WatchOptions
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.versions import serve, show
from minikctl.client.base import ObjectList, WatchEvent
from minikctl.model import objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object


class LocalClient:
    """A ``client.base.Client`` on the registry; what it returns is shared with its cache."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return the object as it is now."""
        return await show(kind, self._registry.entry(kind, namespace, name).object)

    async def list(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> ObjectList:
        """Return all objects that match, and the revision of the answer."""
        await self._registry.selectable(kind, namespace, fields)
        page = self._registry.list(kind, namespace, ListOptions(labels=labels, fields=fields))
        await self._registry.ready(kind, page.entries)
        return ObjectList(tuple(serve(kind, entry.object) for entry in page.entries), str(page.revision))

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Store a new object, its namespace taken from its metadata; return it as stored."""
        return await self._registry.create(kind, objects.namespace(obj), patching.copied(obj))

    async def update(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """Replace the object (or only its "status"); a stale resourceVersion is a conflict."""
        namespace, name = objects.key(obj)
        return await self._registry.update(
            kind, namespace, name, patching.copied(obj), subresource=subresource
        )

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
        return await self._registry.patch(kind, namespace, name, body, PatchOptions(type, subresource))

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> Object:
        """Ask for deletion; return the object as it was left."""
        left, _ = await self._registry.delete(kind, namespace, name, options or DeleteOptions())
        return left

    async def watch(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        resource_version: str = "",
        labels: str = "",
        fields: str = "",
    ) -> AsyncIterator[WatchEvent]:
        """Yield each later change in order; raises ``StatusError`` 410 if that revision is gone."""
        options = WatchOptions(labels=labels, fields=fields, resource_version=resource_version)
        await self._registry.selectable(kind, namespace, fields)
        async for steps in self._registry.watch(kind, namespace, options):
            await self._registry.ready(kind, [step.entry for step in steps if step.entry is not None])
            for step in steps:
                if step.entry is not None:
                    yield WatchEvent(step.type, serve(kind, step.entry.object))
