"""Empty deleted namespaces, and give each new one what every namespace has."""

from __future__ import annotations

from datetime import datetime

from minikctl.client import base as clients
from minikctl.controllers import base, garbage
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Key, Object
from minikctl.plan import namespace, service_account
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.served import Served


def namespaced(table: KindTable) -> list[Kind]:
    """Return every kind whose objects live in namespaces, each in the version in which it is kept."""
    return [kind for kind in table.stored if kind.namespaced]


class NamespaceController(base.ApiController[namespace.View]):
    """Key: ("", the namespace's name)."""

    name = "namespace"
    kind = kinds.NAMESPACE
    reads = (kinds.NAMESPACE,)

    def __init__(
        self,
        caches: base.Caches,
        executor: ApiExecutor,
        clock: clocks.Clock,
        client: clients.Client,
        served: Served,
    ) -> None:
        super().__init__(caches, executor, clock)
        self._client = client
        self._served = served
        self._followed: set[str] = set()

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow namespaces, and the end of what is in one that is being emptied."""
        base.on_change(self.caches.of(kinds.NAMESPACE), base.own_key, enqueue)

        def content_changed(old: Object | None, new: Object | None) -> None:
            if old is None or new is not None:
                return
            found = self.caches.of(kinds.NAMESPACE).get("", objects.namespace(old))
            if found is not None and objects.is_deleting(found):
                enqueue(objects.key(found))

        def follow(table: KindTable) -> None:
            before = self._followed
            kinds_now = [kind for kind in garbage.followed(table) if kind.namespaced]
            self._followed = {kind.resource for kind in kinds_now}
            for kind in kinds_now:
                if kind.resource not in before:
                    self.caches.of(kind).subscribe(content_changed)

        self._served.subscribe(follow)

    async def observe(self, key: Key) -> namespace.View | None:
        """Return the namespace; its contents, fresh from the API, only if it is being deleted."""
        found = self.caches.of(kinds.NAMESPACE).get(*key)
        if found is None or not objects.is_deleting(found):
            return None
        contents = []
        for kind in namespaced(self._served.table):
            listed = await self._client.list(kind, key[1])
            contents.append((kind, listed.items))
        return namespace.View(found, tuple(contents))

    def desired(self, view: namespace.View, now: datetime) -> Plan:
        """Return the plan."""
        return namespace.desired(view, now)

    def failed(self, view: namespace.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the namespace that it cannot be emptied."""
        return namespace.failed(view, action, message, now)


class ServiceAccountController(base.CachedController[service_account.View]):
    """Key: ("", the namespace's name)."""

    name = "serviceaccount"
    kind = kinds.NAMESPACE
    reads = (kinds.NAMESPACE, kinds.SERVICE_ACCOUNT, kinds.CONFIG_MAP)

    def __init__(self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, ca: str) -> None:
        super().__init__(caches, executor, clock)
        self._ca = ca

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow namespaces and what is kept in them."""
        base.on_change(self.caches.of(kinds.NAMESPACE), base.own_key, enqueue)
        kept = (
            (kinds.SERVICE_ACCOUNT, service_account.ACCOUNT),
            (kinds.CONFIG_MAP, service_account.CONFIG_MAP),
        )
        for kind, name in kept:
            self.caches.of(kind).subscribe(_of_name(name, enqueue))

    def view(self, key: Key) -> service_account.View | None:
        """Return the namespace with its account and its certificate."""
        found = self.caches.of(kinds.NAMESPACE).get(*key)
        if found is None:
            return None
        return service_account.View(
            found,
            self.caches.of(kinds.SERVICE_ACCOUNT).get(key[1], service_account.ACCOUNT),
            self.caches.of(kinds.CONFIG_MAP).get(key[1], service_account.CONFIG_MAP),
            self._ca,
        )

    def desired(self, view: service_account.View, now: datetime) -> Plan:
        """Return the plan."""
        return service_account.desired(view, now)


def _of_name(name: str, enqueue: base.Enqueue) -> base.Subscriber:
    def changed(old: Object | None, new: Object | None) -> None:
        found = new or old or {}
        if objects.name(found) == name:
            enqueue(("", objects.namespace(found)))

    return changed
