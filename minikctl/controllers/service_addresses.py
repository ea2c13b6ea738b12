"""Keep the IPAddress objects of Services' cluster addresses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import service_addresses


class ServiceAddressController(base.CachedController[service_addresses.View]):
    """Key: a Service, also one that is gone."""

    name = "service-addresses"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.IP_ADDRESS)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Services and our IPAddress objects."""
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.IP_ADDRESS), _parent, enqueue)

    def view(self, key: Key) -> service_addresses.View | None:
        """Return the Service with the objects that are there for its addresses."""
        service, addresses = self.caches.of(kinds.SERVICE).get(*key), self.caches.of(kinds.IP_ADDRESS)
        own = tuple(each for each in addresses.items() if service_addresses.parent(each) == key)
        held = service_addresses.held(service)
        present = frozenset(each for each in held if addresses.get("", each) is not None)
        return service_addresses.View(key, service, own, present)

    def desired(self, view: service_addresses.View, now: datetime) -> Plan:
        """Return the plan."""
        return service_addresses.desired(view, now)


def _parent(address: Object) -> Iterator[Key]:
    found = service_addresses.parent(address)
    if found is not None:
        yield found
