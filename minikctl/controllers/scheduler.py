"""Bind waiting pods to nodes, and remove pods that no node looks after."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import pod_garbage, readiness
from minikctl.plan.scheduler import planner
from minikctl.plan.scheduler.summary import Summary
from minikctl.plan.storage import parts as storage
from minikctl.plan.storage import scheduling
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

_STORAGE = (kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME, kinds.STORAGE_CLASS)


class SchedulerController(base.CachedController[planner.View]):
    """Key: the cluster; all waiting pods are planned together, so that they do not get the same room."""

    name = "scheduler"
    kind = kinds.POD
    reads = (
        *(kinds.POD, kinds.NODE, kinds.NAMESPACE, kinds.POD_DISRUPTION_BUDGET),
        *(*_STORAGE, kinds.RESOURCE_CLAIM),
    )

    def __init__(self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock) -> None:
        super().__init__(caches, executor, clock)
        self._summary: Summary | None = None

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow waiting pods, pods that make room, and what nodes offer."""
        summary = self._summary = Summary()

        def pod_changed(old: Object | None, new: Object | None) -> None:
            summary.pod_changed(old, new)
            waits = objects.key(new or old or {}) in summary.waiting
            if waits or (summary.waiting and _matters(old, new)):
                enqueue(base.CLUSTER)

        def node_changed(old: Object | None, new: Object | None) -> None:
            if old is None or new is None or _offer(old) != _offer(new):
                summary.node_changed(old, new)
                enqueue(base.CLUSTER)

        self.caches.of(kinds.POD).subscribe(pod_changed)
        self.caches.of(kinds.NODE).subscribe(node_changed)
        self.caches.of(kinds.NAMESPACE)
        self.caches.of(kinds.POD_DISRUPTION_BUDGET)

        def storage_changed(old: Object | None, new: Object | None) -> None:  # noqa: ARG001 - any change may help
            if any(storage.references(pod.pod) for pod in summary.waiting.values()):
                enqueue(base.CLUSTER)

        def devices_changed(old: Object | None, new: Object | None) -> None:
            if (old is None or new is None) and any(
                objects.spec(pod.pod).get("resourceClaims") for pod in summary.waiting.values()
            ):
                enqueue(base.CLUSTER)

        for kind in _STORAGE:
            self.caches.of(kind).subscribe(storage_changed)
        self.caches.of(kinds.RESOURCE_CLAIM).subscribe(devices_changed)

    def view(self, key: Key) -> planner.View | None:  # noqa: ARG002 - there is one key
        """Return what is known of nodes and pods; nothing if no pod waits."""
        summary = self._summary
        if summary is None:
            nodes, pods = self.caches.of(kinds.NODE).items(), self.caches.of(kinds.POD).items()
            summary = Summary.of(nodes, pods)
        if not summary.waiting:
            return None
        spaces = {
            objects.name(each): objects.labels(each) for each in self.caches.of(kinds.NAMESPACE).items()
        }
        budgets = tuple(self.caches.of(kinds.POD_DISRUPTION_BUDGET).items())
        claims = frozenset(map(objects.key, self.caches.of(kinds.RESOURCE_CLAIM).items()))
        return planner.View(summary, spaces, budgets, self._found(), claims)

    def _found(self) -> scheduling.Storage:
        """Return what there is of storage."""
        claims, volumes, classes = (self.caches.of(kind).items() for kind in _STORAGE)
        return scheduling.Storage(
            {objects.key(each): each for each in claims},
            {objects.name(each): each for each in volumes},
            {objects.name(each): each for each in classes},
        )

    def desired(self, view: planner.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)


def _matters(old: Object | None, new: Object | None) -> bool:
    """Tell whether a pod that has a node changed so that another one may find a place now."""
    if old is None or new is None or readiness.is_finished(new):
        return True
    return objects.labels(old) != objects.labels(new) or objects.spec(old) != objects.spec(new)


def _offer(node: Object) -> tuple[object, ...]:
    return (
        objects.uid(node),
        objects.labels(node),
        objects.spec(node),
        objects.status(node).get("allocatable"),
        objects.is_deleting(node),
    )


class PodGarbageController(base.CachedController[pod_garbage.View]):
    """Key: the cluster."""

    name = "podgc"
    kind = kinds.POD
    reads = (kinds.POD, kinds.NODE)

    def __init__(self, caches: base.Caches, executor: ApiExecutor, clock: clocks.Clock) -> None:
        super().__init__(caches, executor, clock)
        self._missing: dict[str, datetime] = {}

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow nodes that go, pods that finish, and pods bound to a node that is not there."""

        def pod_changed(old: Object | None, new: Object | None) -> None:
            node = objects.spec(new or {}).get("nodeName")
            if new is None or node is None:
                return
            finished = readiness.is_finished(new) and not (old and readiness.is_finished(old))
            is_bound = objects.spec(old or {}).get("nodeName") != node
            if finished or (is_bound and self.caches.of(kinds.NODE).get("", str(node)) is None):
                enqueue(base.CLUSTER)

        def node_changed(old: Object | None, new: Object | None) -> None:
            # A node that comes makes nothing garbage; all pods are looked through if it was missed.
            if new is None or (old is None and objects.name(new) in self._missing):
                enqueue(base.CLUSTER)

        self.caches.of(kinds.POD).subscribe(pod_changed)
        self.caches.of(kinds.NODE).subscribe(node_changed)

    def view(self, key: Key) -> pod_garbage.View | None:  # noqa: ARG002 - there is one key
        """Return all pods, and since when nodes of theirs were seen to be missing."""
        pods = tuple(self.caches.of(kinds.POD).items())
        named = {str(objects.spec(pod).get("nodeName") or "") for pod in pods} - {""}
        gone = {name for name in named if self.caches.of(kinds.NODE).get("", name) is None}
        now = self._clock.now()
        self._missing = {name: self._missing.get(name, now) for name in gone}
        return pod_garbage.View(pods, self._missing)

    def desired(self, view: pod_garbage.View, now: datetime) -> Plan:
        """Return the plan."""
        return pod_garbage.desired(view, now)
