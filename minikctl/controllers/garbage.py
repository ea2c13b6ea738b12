"""Delete what belongs to owners that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from minikctl import errors
from minikctl.client import base as clients
from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Object
from minikctl.plan import garbage
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.served import Served

GarbageKey = tuple[str, str, str]
"""Resource (``pods``, ``deployments.apps``), namespace, name."""


def followed(table: KindTable) -> list[Kind]:
    """Return the kinds whose objects may own others or be owned: all but Events, which go by time."""
    return [kind for kind in table.stored if kind is not kinds.EVENT]


class GarbageController:
    """Key: any object that names owners, or that waits for its dependents."""

    name = "garbage-collector"

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, client: clients.Client, served: Served
    ) -> None:
        self.caches = caches
        self._executor = executor
        self._client = client
        self._served = served
        self._kinds: dict[str, Kind] = {}
        self._dependents: dict[str, set[GarbageKey]] = {}

    def subscribe(self, enqueue: Callable[[GarbageKey], None]) -> None:
        """Follow all objects, and remember who names whom as owner; custom kinds as they come and go."""

        def follow(table: KindTable) -> None:
            before, self._kinds = self._kinds, {kind.resource: kind for kind in followed(table)}
            for resource, kind in self._kinds.items():
                if resource not in before:
                    self.caches.of(kind).subscribe(self._follower(kind, enqueue))

        self._served.subscribe(follow)

    def _follower(self, kind: Kind, enqueue: Callable[[GarbageKey], None]) -> base.Subscriber:
        def changed(old: Object | None, new: Object | None) -> None:
            self._index(kind, old, new)
            if new is None or (old is not None and objects.uid(old) != objects.uid(new)):
                for key in self._related(old or {}):
                    enqueue(key)
            elif old is not None:
                for key in self._owners(old, garbage.blocked(old) - garbage.blocked(new)):
                    enqueue(key)
            if new is not None and _matters(old, new):
                enqueue((kind.resource, *objects.key(new)))
                if garbage.waits(new):
                    for key in sorted(self._dependents.get(objects.uid(new), ())):
                        enqueue(key)

        return changed

    def _index(self, kind: Kind, old: Object | None, new: Object | None) -> None:
        before, after = _owner_uids(old), _owner_uids(new)
        key = (kind.resource, *objects.key(new or old or {}))
        for uid in before - after:
            self._dependents.get(uid, set()).discard(key)
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add(key)

    def _related(self, gone: Object) -> Iterator[GarbageKey]:
        """Yield who may have waited for an object that is gone: its dependents and its owners."""
        yield from sorted(self._dependents.get(objects.uid(gone), ()))
        yield from self._owners(gone, _owner_uids(gone))

    def _owners(self, obj: Object, uids: set[str]) -> Iterator[GarbageKey]:
        for reference in objects.meta(obj).get("ownerReferences") or ():
            owner = self._kind_of(reference) if reference.get("uid") in uids else None
            if owner is not None:
                yield owner.resource, _space(owner, obj), str(reference.get("name"))

    async def ready(self) -> None:
        """Return once all objects are known: before that, owners could seem to be missing."""
        for kind in list(self._kinds.values()):
            await self.caches.of(kind).synced()

    async def observe(self, key: GarbageKey) -> garbage.View | None:
        """Return the object with what became of its owners and with its dependents."""
        kind = self._kinds.get(key[0])
        found = self.caches.of(kind).get(key[1], key[2]) if kind is not None else None
        if kind is None or found is None:
            return None
        references = objects.meta(found).get("ownerReferences") or ()
        if not references and not garbage.waits(found):
            return None
        owners = [garbage.Owner(str(each.get("uid")), await self._state(found, each)) for each in references]
        return garbage.View(kind, found, tuple(owners), tuple(self._dependents_of(found)))

    def _dependents_of(self, owner: Object) -> Iterator[garbage.Dependent]:
        for resource, namespace, name in sorted(self._dependents.get(objects.uid(owner), ())):
            kind = self._kinds.get(resource)
            found = self.caches.of(kind).get(namespace, name) if kind is not None else None
            if kind is not None and found is not None:
                yield garbage.Dependent(kind, found)

    async def _state(self, obj: Object, reference: dict[str, Any]) -> garbage.OwnerState:
        kind = self._kind_of(reference)
        if kind is None or (kind.namespaced and not objects.namespace(obj)):
            return "unknown"
        key = (_space(kind, obj), str(reference.get("name")))
        owner = self.caches.of(kind).get(*key)
        if owner is None or objects.uid(owner) != reference.get("uid"):
            # Nothing is deleted on the word of a cache.
            owner = await self._live(kind, *key)
        if owner is None or objects.uid(owner) != reference.get("uid"):
            return "absent"
        return "waiting" if garbage.waits(owner, garbage.FOREGROUND) else "present"

    async def _live(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return await self._client.get(kind, name, namespace)
        except errors.StatusError as error:
            if error.reason == "NotFound":
                return None
            raise

    def desired(self, view: garbage.View, now: datetime) -> Plan:
        """Return the plan."""
        return garbage.desired(view, now)

    async def execute(self, view: garbage.View, plan: Plan) -> None:
        """Carry out the plan."""
        await self._executor.execute(view.kind, view.object, plan)

    def _kind_of(self, reference: dict[str, Any]) -> Kind | None:
        kind = self._served.table.of(reference)
        return kinds.stored(kind) if kind is not None else None


def _space(kind: Kind, obj: Object) -> str:
    return objects.namespace(obj) if kind.namespaced else ""


def _owner_uids(obj: Object | None) -> set[str]:
    return {str(each.get("uid")) for each in objects.meta(obj or {}).get("ownerReferences") or ()}


def _matters(old: Object | None, new: Object) -> bool:
    """Tell whether something changed that ownership depends on."""
    if old is None:
        return bool(_owner_uids(new)) or garbage.waits(new)
    before, after = objects.meta(old), objects.meta(new)
    parts = ("ownerReferences", "finalizers", "deletionTimestamp", "uid")
    return any(before.get(part) != after.get(part) for part in parts)
