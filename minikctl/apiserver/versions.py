"""Objects in the version that is asked for, and in the one in which they are kept."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object


def take(kind: Kind, obj: Object) -> Object:
    """Return a caller's object in the version in which it is stored."""
    return kind.to_storage(obj) if kind.storage else obj


async def keep(stored: Kind, obj: Object) -> Object:
    """Return an object of a custom kind in the version in which it is kept, any other as it is."""
    return obj if stored.versions is None else await stored.versions.keep(obj)


def serve(kind: Kind, obj: Object) -> Object:
    """Return a stored object in the version that was asked for."""
    if kind.versions is not None:
        return kind.versions.read(kind, obj)
    return kind.from_storage(obj) if kind.storage else obj


async def show(kind: Kind, obj: Object) -> Object:
    """Return a stored object in the version that was asked for, even if a webhook has to convert it."""
    if kind.versions is not None:
        await kind.versions.prepare(kind, [obj])
    return serve(kind, obj)
