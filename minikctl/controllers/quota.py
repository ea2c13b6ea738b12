"""Keep the status of ResourceQuotas: count anew when what they count comes, goes or changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from minikctl.client import base as clients
from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable
from minikctl.model.objects import Key, Object
from minikctl.plan.quota import planner, usage
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.served import Served


class QuotaController(base.ApiController[planner.View]):
    """Key: the quota's.  Admission enforces it; this tells what is used."""

    name = "resourcequota"
    kind = kinds.RESOURCE_QUOTA
    reads = (kinds.RESOURCE_QUOTA, kinds.POD, kinds.SERVICE, kinds.PERSISTENT_VOLUME_CLAIM)

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
        self._enqueue: base.Enqueue = lambda _: None
        self._followed: set[str] = set()

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the quotas' specs, and what is in their namespaces; custom kinds as they come and go."""
        self._enqueue = enqueue

        def changed(old: Object | None, new: Object | None) -> None:
            if new is not None and (old is None or objects.spec(old) != objects.spec(new)):
                self._follow(new)
                enqueue(objects.key(new))

        def served(table: KindTable) -> None:
            self._followed &= {kind.resource for kind in table.stored}
            for quota in self.caches.of(kinds.RESOURCE_QUOTA).items():
                changed(None, quota)

        self.caches.of(kinds.RESOURCE_QUOTA).subscribe(changed)
        self._served.subscribe(served)

    def _follow(self, quota: Object) -> None:
        """Watch the kinds that a quota counts: nobody else may follow them."""
        for kind in counted(quota, self._served.table):
            if kind.resource not in self._followed:
                self._followed.add(kind.resource)
                self.caches.of(kind).subscribe(self._counted(kind))

    def _counted(self, kind: Kind) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None and usage.of(kind, new) == usage.of(kind, old):
                return
            namespace = objects.namespace(new or old or {})
            for quota in self.caches.of(kinds.RESOURCE_QUOTA).items(namespace):
                self._enqueue(objects.key(quota))

        return changed

    async def observe(self, key: Key) -> planner.View | None:
        """Return the quota with what it counts, fresh from the API: caches may not know the newest."""
        found = self.caches.of(kinds.RESOURCE_QUOTA).get(*key)
        if found is None:
            return None
        items: list[tuple[Kind, Object]] = []
        for kind in counted(found, self._served.table):
            items += [(kind, each) for each in (await self._client.list(kind, key[0])).items]
        return planner.View(found, tuple(items))

    def desired(self, view: planner.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)


def counted(quota: Object, table: KindTable) -> list[Kind]:
    """Return the kinds that the quota counts."""
    hard = objects.spec(quota).get("hard") or {}
    return [
        kind for kind in table.stored if kind.namespaced and any(usage.counts(name, kind) for name in hard)
    ]
