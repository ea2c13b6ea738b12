"""The controller of ServiceCIDRs: further ranges of cluster addresses become ready and may go again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.objects import Object
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.plan import service_addresses, service_cidr


class ServiceRanges:
    """Key: the name of a ServiceCIDR."""

    name = "service-ranges"

    def __init__(self, tools: Tools, settings: NetworkSettings) -> None:
        self._ranges = tools.informers.of(kinds.SERVICE_CIDR)
        self._addresses = tools.informers.of(kinds.IP_ADDRESS)
        self._actions = tools.actions
        self._reserved = settings.reserved

    def subscribe(self, enqueue: Callable[[str], None]) -> None:
        """Look at a range when it changes, and at those that are about to go with each change."""

        def changed(old: Object | None, new: Object | None) -> None:
            enqueue(objects.name(new or old or {}))
            going()

        def going(*_: Object | None) -> None:
            for each in self._ranges.items():
                if objects.is_deleting(each):
                    enqueue(objects.name(each))

        self._ranges.subscribe(changed)
        self._addresses.subscribe(going)

    async def ready(self) -> None:
        """Return once ranges and addresses are known."""
        await self._ranges.synced()
        await self._addresses.synced()

    async def observe(self, key: str) -> service_cidr.View | None:
        """Return the range, the others, and the addresses that Services have."""
        await self.ready()
        found = self._ranges.get("", key)
        if found is None:
            return None
        others = tuple(each for each in self._ranges.items() if objects.name(each) != key)
        held = (each for each in self._addresses.items() if service_addresses.parent(each))
        return service_cidr.View(found, others, tuple(map(objects.name, held)), self._reserved)

    def desired(self, view: service_cidr.View, now: datetime) -> api.Plan:
        """Return what to do; pure."""
        return service_cidr.desired(view, now)

    async def execute(self, view: service_cidr.View, plan: api.Plan) -> None:
        """Write finalizer or condition, and wait until the cache shows it."""
        await self._actions.execute(kinds.SERVICE_CIDR, view.object, plan)
