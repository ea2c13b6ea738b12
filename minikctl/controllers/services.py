"""Keep the EndpointSlices and the Endpoints of Services in step with their pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import children, endpoints, endpointslice, endpointslicemirroring
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

ZONE = "topology.kubernetes.io/zone"


class Lookups:
    """What the controllers of endpoints look up; each index is built once for all of them."""

    def __init__(self, caches: base.Caches) -> None:
        self.selection = Selection(caches)
        self._names = base.Index(caches.of(kinds.ENDPOINT_SLICE), _prefix)

    def taken(self, owner: Object) -> frozenset[str]:
        """Return the names of slices that could be those of another one of this owner."""
        found = self._names.of((objects.namespace(owner), children.prefix_of(owner)))
        return frozenset(map(objects.name, found))


class EndpointSliceController(base.CachedController[endpointslice.View]):
    """Key: a Service."""

    name = "endpointslice"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.POD, kinds.ENDPOINT_SLICE, kinds.NODE)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, lookups: Lookups
    ) -> None:
        super().__init__(caches, executor, clock)
        self._lookups = lookups
        self._slices = base.Index(caches.of(kinds.ENDPOINT_SLICE), _service_of)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Services, the pods that they select, their slices, and nodes that come and go."""
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        self._lookups.selection.follow(enqueue)
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
        zones = {objects.name(node): _zone(node) for node in self.caches.of(kinds.NODE).items()}
        return endpointslice.View(
            service,
            self._lookups.selection.pods(service),
            tuple(self._slices.of(key)),
            zones,
            self._lookups.taken(service),
        )

    def desired(self, view: endpointslice.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpointslice.desired(view, now)


class EndpointsController(base.CachedController[endpoints.View]):
    """Key: a Service, and the Endpoints of its name."""

    name = "endpoints"
    kind = kinds.SERVICE
    reads = (kinds.SERVICE, kinds.POD, kinds.ENDPOINTS)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, lookups: Lookups
    ) -> None:
        super().__init__(caches, executor, clock)
        self._selection = lookups.selection

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Services, the pods that they select, and Endpoints."""
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        self._selection.follow(enqueue)
        base.on_change(self.caches.of(kinds.ENDPOINTS), base.own_key, enqueue)

    def view(self, key: Key) -> endpoints.View | None:
        """Return the Service with its pods and Endpoints."""
        service = self.caches.of(kinds.SERVICE).get(*key)
        present = self.caches.of(kinds.ENDPOINTS).get(*key)
        if service is None and present is None:
            return None
        pods = self._selection.pods(service) if service is not None else ()
        return endpoints.View(service, present, pods)

    def desired(self, view: endpoints.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpoints.desired(view, now)


class EndpointSliceMirroringController(base.CachedController[endpointslicemirroring.View]):
    """Key: Endpoints, and the Service of their name."""

    name = "endpointslicemirroring"
    kind = kinds.ENDPOINTS
    reads = (kinds.ENDPOINTS, kinds.SERVICE, kinds.ENDPOINT_SLICE)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, lookups: Lookups
    ) -> None:
        super().__init__(caches, executor, clock)
        self._slices = base.Index(caches.of(kinds.ENDPOINT_SLICE), _mirrors)
        self._lookups = lookups

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Endpoints, the Services of their names, and the slices that mirror them."""
        base.on_change(self.caches.of(kinds.ENDPOINTS), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.SERVICE), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.ENDPOINT_SLICE), _mirrors, enqueue)

    def view(self, key: Key) -> endpointslicemirroring.View | None:
        """Return the Endpoints with their Service and slices."""
        present, service = self.caches.of(kinds.ENDPOINTS).get(*key), self.caches.of(kinds.SERVICE).get(*key)
        slices = tuple(self._slices.of(key))
        if present is None and not slices:
            return None
        return endpointslicemirroring.View(present, service, slices, self._lookups.taken(present or {}))

    def desired(self, view: endpointslicemirroring.View, now: datetime) -> Plan:
        """Return the plan."""
        return endpointslicemirroring.desired(view, now)


class Selection:
    """Services and the pods that they select, each found from the other by its labels."""

    def __init__(self, caches: base.Caches) -> None:
        self._caches = caches
        self._pods = base.Index(caches.of(kinds.POD), _pairs)
        self._services = base.Index(caches.of(kinds.SERVICE), _wanted)

    def pods(self, service: Object) -> tuple[Object, ...]:
        """Return the pods that the Service selects, by name."""
        selector = _selector(service)
        found = (pod for key in _wanted(service) for pod in self._pods.of(key))
        return tuple(pod for pod in found if selector.matches(objects.labels(pod)))

    def follow(self, enqueue: Callable[[Key], None]) -> None:
        """Enqueue the Services that select a pod, when something of it changes that endpoints show."""

        def changed(old: Object | None, new: Object | None) -> None:
            if old is not None and new is not None and _shown(old) == _shown(new):
                return
            for key in sorted({key for pod in (old, new) if pod is not None for key in self._of(pod)}):
                enqueue(key)

        self._caches.of(kinds.POD).subscribe(changed)

    def _of(self, pod: Object) -> Iterator[Key]:
        for pair in _pairs(pod):
            for service in self._services.of(pair):
                if _selector(service).matches(objects.labels(pod)):
                    yield objects.key(service)


def _selector(service: Object) -> selectors.Selector:
    return selectors.of_map(objects.spec(service).get("selector"))


def _pairs(pod: Object) -> Iterator[Key]:
    for name, value in objects.labels(pod).items():
        yield objects.namespace(pod), f"{name}={value}"


def _wanted(service: Object) -> Iterator[Key]:
    """Yield one label of all that pods must have to be selected: the first in order."""
    for name, value in sorted((objects.spec(service).get("selector") or {}).items())[:1]:
        yield objects.namespace(service), f"{name}={value}"


def _shown(pod: Object) -> tuple[object, ...]:
    status, spec = objects.status(pod), objects.spec(pod)
    ready = (objects.condition(pod, "Ready") or {}).get("status")
    addresses = (status.get("podIP"), status.get("podIPs"), status.get("phase"), ready)
    return (objects.uid(pod), objects.labels(pod), objects.is_deleting(pod), spec.get("nodeName"), addresses)


def _prefix(each: Object) -> Iterator[Key]:
    yield objects.namespace(each), objects.name(each)[: -children.LETTERS]


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
