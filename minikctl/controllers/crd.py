"""Establish custom kinds, and empty those that are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.client import base as clients
from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.custom import lifecycle
from minikctl.model.objects import Key, Object
from minikctl.plan import crd
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


class CustomKindController(base.ApiController[crd.View]):
    """Key: ("", the name of the CustomResourceDefinition)."""

    name = "customresourcedefinition"
    kind = kinds.CUSTOM_RESOURCE_DEFINITION
    reads = (kinds.CUSTOM_RESOURCE_DEFINITION,)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, client: clients.Client
    ) -> None:
        super().__init__(caches, executor, clock)
        self._client = client

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow definitions; each may give names to others of its group, or take them."""
        base.on_change(self.caches.of(self.kind), self._group_keys, enqueue)

    def _group_keys(self, obj: Object) -> Iterator[Key]:
        yield objects.key(obj)
        for each in self._others(obj):
            yield objects.key(each)

    def _others(self, obj: Object) -> Iterator[Object]:
        group, name = objects.spec(obj).get("group"), objects.name(obj)
        for each in self.caches.of(self.kind).items():
            if objects.spec(each).get("group") == group and objects.name(each) != name:
                yield each

    async def observe(self, key: Key) -> crd.View | None:
        """Return the definition; its objects, fresh from the API, only if it is being deleted."""
        found = self.caches.of(self.kind).get(*key)
        if found is None:
            return None
        taken = tuple(objects.status(each).get("acceptedNames") or {} for each in self._others(found))
        if not objects.is_deleting(found) or not lifecycle.has_condition(found, lifecycle.ESTABLISHED):
            return crd.View(found, taken)
        from minikctl.model.custom import definition  # not before there is any custom kind

        kind = definition.storage_kind(found)
        return crd.View(found, taken, kind, (await self._client.list(kind)).items)

    def desired(self, view: crd.View, now: datetime) -> Plan:
        """Return the plan."""
        return crd.desired(view, now)

    def failed(self, view: crd.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the definition that it cannot be emptied."""
        return crd.failed(view, action, message, now)
