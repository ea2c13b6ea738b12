"""Keeps a DaemonSet's pod on each node that fits."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import children, claims
from minikctl.plan.daemonset import parts, planner


class DaemonSetController(base.CachedController[parts.View]):
    """Key: a DaemonSet."""

    name = "daemonset"
    kind = kinds.DAEMON_SET
    reads = (kinds.DAEMON_SET, kinds.POD, kinds.NODE, kinds.CONTROLLER_REVISION)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow DaemonSets, their pods and revisions, and what nodes are and refuse."""
        base.on_change(self.caches.of(kinds.DAEMON_SET), base.own_key, enqueue)
        for kind in (kinds.POD, kinds.CONTROLLER_REVISION):
            base.on_change(self.caches.of(kind), base.owner_key(kinds.DAEMON_SET), enqueue)
        adopters = base.adopter_keys(self.caches.of(kinds.DAEMON_SET), base.selector_of)
        base.on_change(self.caches.of(kinds.POD), adopters, enqueue)

        def node_changed(old: Object | None, new: Object | None) -> None:
            if old is None or new is None or _offer(old) != _offer(new):
                for owner in self.caches.of(kinds.DAEMON_SET).items():
                    enqueue(objects.key(owner))

        self.caches.of(kinds.NODE).subscribe(node_changed)

    def view(self, key: Key) -> parts.View | None:
        """Return the DaemonSet with the nodes, and all that is its own or could become so."""
        owner = self.caches.of(kinds.DAEMON_SET).get(*key)
        if owner is None:
            return None
        selector, prefix = base.selector_of(owner), children.prefix_of(owner)
        pods, taken = [], set()
        for pod in self.caches.of(kinds.POD).items(key[0]):
            if claims.is_owned(pod, owner) or selector.matches(objects.labels(pod)):
                pods.append(pod)
            if objects.name(pod).startswith(prefix):
                taken.add(objects.name(pod))
        revisions = tuple(
            each
            for each in self.caches.of(kinds.CONTROLLER_REVISION).items(key[0])
            if claims.is_owned(each, owner)
            or selector.matches(objects.labels(each))
            or objects.name(each).startswith(prefix)
        )
        nodes = tuple(self.caches.of(kinds.NODE).items())
        return parts.View(owner, nodes, tuple(pods), revisions, frozenset(taken))

    def desired(self, view: parts.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)

    def failed(self, view: parts.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the DaemonSet that a pod was refused."""
        return planner.failed(view, action, message, now)


def _offer(node: Object) -> tuple[object, ...]:
    spec = objects.spec(node)
    return objects.uid(node), objects.labels(node), spec.get("taints"), objects.is_deleting(node)
