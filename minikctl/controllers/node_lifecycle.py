"""Watches over nodes: their taints, those that fall silent, and the pods that have to leave."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import node_lifecycle, taint_eviction
from minikctl.plan.node import LEASE_NAMESPACE, SILENCED
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


def _node_of(pod: Object) -> Iterator[Key]:
    name = objects.spec(pod).get("nodeName")
    if name:
        yield "", str(name)


class _OfNodes:
    """The pods of each node, by name: asked for often, so they are kept."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, Object]] = {}

    def changed(self, old: Object | None, new: Object | None) -> None:
        """Follow one change of a pod."""
        if old is not None:
            for _, name in _node_of(old):
                self._pods.get(name, {}).pop(objects.uid(old), None)
        if new is not None:
            for _, name in _node_of(new):
                self._pods.setdefault(name, {})[objects.uid(new)] = new

    def on(self, name: str) -> tuple[Object, ...]:
        """Return the pods on a node."""
        return tuple(self._pods.get(name, {}).values())


class NodeLifecycleController(base.CachedController[node_lifecycle.View]):
    """Key: ("", a node's name)."""

    name = "nodelifecycle"
    kind = kinds.NODE
    reads = (kinds.NODE, kinds.LEASE, kinds.POD)

    def __init__(
        self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock, own: Collection[str]
    ) -> None:
        """``own`` are the names of the nodes that this process speaks for."""
        super().__init__(caches, executor, clock)
        self._own = own
        self._pods = _OfNodes()
        self._since = clock.now()
        self._ready: set[str] = set()

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow nodes; when the first one or the last one gets ready or not, all of them matter."""
        self.caches.of(kinds.LEASE)
        self.caches.of(kinds.POD).subscribe(self._pods.changed)

        def changed(old: Object | None, new: Object | None) -> None:
            name, before = objects.name(new or old or {}), bool(self._ready)
            if new is not None and _is_ready(new):
                self._ready.add(name)
            else:
                self._ready.discard(name)
            if bool(self._ready) != before:
                for each in self.caches.of(kinds.NODE).items():
                    enqueue(objects.key(each))
            if old is None or new is None or _concern(old) != _concern(new):
                enqueue(("", name))

        self.caches.of(kinds.NODE).subscribe(changed)

    def view(self, key: Key) -> node_lifecycle.View | None:
        """Return the node with its Lease and its pods."""
        node = self.caches.of(kinds.NODE).get(*key)
        if node is None:
            return None
        lease = self.caches.of(kinds.LEASE).get(LEASE_NAMESPACE, key[1])
        own = key[1] in self._own and objects.annotations(node).get(SILENCED) != "true"
        return node_lifecycle.View(node, lease, self._pods.on(key[1]), self._since, not self._ready, own)

    def desired(self, view: node_lifecycle.View, now: datetime) -> Plan:
        """Return the plan."""
        return node_lifecycle.desired(view, now)


def _is_ready(node: Object) -> bool:
    return (objects.condition(node, "Ready") or {}).get("status") == "True"


def _concern(node: Object) -> tuple[object, ...]:
    """Return what taints follow from."""
    conditions = objects.status(node).get("conditions") or ()
    silenced = objects.annotations(node).get(SILENCED)
    return objects.spec(node), silenced, [(each.get("type"), each.get("status")) for each in conditions]


class TaintEvictionController(base.CachedController[taint_eviction.View]):
    """Key: ("", a node's name)."""

    name = "tainteviction"
    kind = kinds.NODE
    reads = (kinds.NODE, kinds.POD)

    def __init__(self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock) -> None:
        super().__init__(caches, executor, clock)
        self._pods = _OfNodes()
        self._since: dict[str, dict[str, datetime]] = {}

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow taints that drive pods out, and pods on nodes that have them."""

        def pod_changed(old: Object | None, new: Object | None) -> None:
            self._pods.changed(old, new)
            for key in _node_of(new or {}):
                if key[1] in self._since:
                    enqueue(key)

        def node_changed(old: Object | None, new: Object | None) -> None:
            before, after = (taint_eviction.no_execute(each or {}) for each in (old, new))
            name = objects.name(new or old or {})
            if new is None:
                self._since.pop(name, None)
            elif before != after:
                self._since.setdefault(name, {})
                enqueue(objects.key(new))

        self.caches.of(kinds.POD).subscribe(pod_changed)
        self.caches.of(kinds.NODE).subscribe(node_changed)

    def view(self, key: Key) -> taint_eviction.View | None:
        """Return the node and its pods, if it has taints that drive pods out, or had some just now."""
        node, seen = self.caches.of(kinds.NODE).get(*key), self._since.pop(key[1], None)
        if node is None or seen is None:
            return None
        pods, now, taints = self._pods.on(key[1]), self._clock.now(), taint_eviction.no_execute(node)
        counting = [objects.uid(pod) for pod in pods if taint_eviction.bears_for_a_time(pod, taints)]
        since = {uid: seen.get(uid, now) for uid in counting}
        if taints:
            self._since[key[1]] = since
        gone = seen.keys() - since.keys()
        spared = (pod for pod in pods if objects.uid(pod) in gone and taint_eviction.is_spared(pod, taints))
        return taint_eviction.View(node, pods, since, tuple(spared))

    def desired(self, view: taint_eviction.View, now: datetime) -> Plan:
        """Return the plan."""
        return taint_eviction.desired(view, now)
