"""Keep the EndpointSlices and the Endpoints of Services in step with their pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import endpoints, endpointslice, endpointslicemirroring

ZONE = "topology.kubernetes.io/zone"


class EndpointSliceController(base.CachedController[endpointslice.View]):
    """Key: a Service."""

    name = "endpointslice"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.POD, kinds.ENDPOINT_SLICE, kinds.NODE)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Services, the pods that they select, their slices, and nodes that come and go."""
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        follow_pods(self.caches, enqueue)
        base.on_change(self.caches.of(kinds.ENDPOINT_SLICE), _service_of, enqueue)

        def node_changed(old: Object | None, new: Object | None) -> None:
            if old is None or new is None or _zone(old) != _zone(new):
                for service in self.caches.of(kinds.SERVICE).items():
                    enqueue(objects.key(service))

        self.caches.of(kinds.NODE).subscribe(node_changed)

    def view(self, key: Key) -> endpointslice.View | None:
        """Return the Service with its pods and slices."""
        service = self.caches.of(kinds.SERVICE).get(*key)
        if service is None:
            return None  # its slices go with their owner
        slices, taken = [], set()
        for each in self.caches.of(kinds.ENDPOINT_SLICE).items(key[0]):
            if key in _service_of(each):
                slices.append(each)
            else:
                taken.add(objects.name(each))
        zones = {objects.name(node): _zone(node) for node in self.caches.of(kinds.NODE).items()}
        return endpointslice.View(
            service,
            selected(self.caches, service),
            tuple(sorted(slices, key=objects.name)),
            zones,
            frozenset(taken),
        )

    def desired(self, view: endpointslice.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpointslice.desired(view, now)


class EndpointsController(base.CachedController[endpoints.View]):
    """Key: a Service, and the Endpoints of its name."""

    name = "endpoints"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.POD, kinds.ENDPOINTS)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Services, the pods that they select, and Endpoints."""
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        follow_pods(self.caches, enqueue)
        base.on_change(self.caches.of(kinds.ENDPOINTS), base.own_key, enqueue)

    def view(self, key: Key) -> endpoints.View | None:
        """Return the Service with its pods and Endpoints."""
        service = self.caches.of(kinds.SERVICE).get(*key)
        present = self.caches.of(kinds.ENDPOINTS).get(*key)
        if service is None and present is None:
            return None
        pods = selected(self.caches, service) if service is not None else ()
        return endpoints.View(service, present, pods)

    def desired(self, view: endpoints.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpoints.desired(view, now)


class EndpointSliceMirroringController(base.CachedController[endpointslicemirroring.View]):
    """Key: Endpoints, and the Service of their name."""

    name = "endpointslicemirroring"
    kind = kinds.ENDPOINTS
    reads = (kinds.ENDPOINTS, kinds.SERVICE, kinds.ENDPOINT_SLICE)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Endpoints, the Services of their names, and the slices that mirror them."""
        base.on_change(self.caches.of(kinds.ENDPOINTS), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.ENDPOINT_SLICE), _mirrors, enqueue)

    def view(self, key: Key) -> endpointslicemirroring.View | None:
        """Return the Endpoints with their Service and slices."""
        present, service = self.caches.of(kinds.ENDPOINTS).get(*key), self.caches.of(kinds.SERVICE).get(*key)
        listed = list(self.caches.of(kinds.ENDPOINT_SLICE).items(key[0]))
        slices = [each for each in listed if key in _mirrors(each)]
        if present is None and not slices:
            return None
        return endpointslicemirroring.View(
            present,
            service,
            tuple(sorted(slices, key=objects.name)),
            frozenset(map(objects.name, listed)),
        )

    def desired(self, view: endpointslicemirroring.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpointslicemirroring.desired(view, now)


def selected(caches: base.Caches, service: Object) -> tuple[Object, ...]:
    """Return the pods that the Service selects, by name."""
    selector = selectors.of_map(objects.spec(service).get("selector"))
    pods = caches.of(kinds.POD).items(objects.namespace(service))
    found = (pod for pod in pods if selector.matches(objects.labels(pod)))
    return tuple(sorted(found, key=objects.name))


def follow_pods(caches: base.Caches, enqueue: Callable[[Key], None]) -> None:
    """Enqueue the Services that select a pod, when something of it changes that endpoints show."""

    def changed(old: Object | None, new: Object | None) -> None:
        if old is not None and new is not None and _shown(old) == _shown(new):
            return
        namespace = objects.namespace(new or old or {})
        for service in caches.of(kinds.SERVICE).items(namespace):
            selector = selectors.of_map(objects.spec(service).get("selector"))
            if any(selector.matches(objects.labels(pod)) for pod in (old, new) if pod is not None):
                enqueue(objects.key(service))

    caches.of(kinds.POD).subscribe(changed)


def _shown(pod: Object) -> tuple[object, ...]:
    status, spec = objects.status(pod), objects.spec(pod)
    ready = (objects.condition(pod, "Ready") or {}).get("status")
    addresses = (status.get("podIP"), status.get("podIPs"), status.get("phase"), ready)
    return (objects.uid(pod), objects.labels(pod), objects.is_deleting(pod), spec.get("nodeName"), addresses)


def _service_of(each: Object) -> Iterator[Key]:
    labels = objects.labels(each)
    if labels.get(endpointslice.MANAGED_BY) == endpointslice.CONTROLLER:
        yield objects.namespace(each), labels.get(endpointslice.SERVICE_NAME, "")


def _mirrors(each: Object) -> Iterator[Key]:
    labels = objects.labels(each)
    if labels.get(endpointslice.MANAGED_BY) == endpointslicemirroring.CONTROLLER:
        yield objects.namespace(each), labels.get(endpointslice.SERVICE_NAME, "")


def _zone(node: Object) -> str:
    return objects.labels(node).get(ZONE, "")
