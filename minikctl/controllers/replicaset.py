"""Keeps ReplicaSets and ReplicationControllers at their number of pods."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import children, claims, replicaset


class ReplicaSetController(base.CachedController[replicaset.View]):
    """Key: a ReplicaSet."""

    name = "replicaset"
    kind = kinds.REPLICA_SET
    reads = (kinds.REPLICA_SET, kinds.POD)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow owners and the pods that they control or could adopt."""
        base.on_change(self.caches.of(self.kind), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.POD), base.owner_key(self.kind), enqueue)
        adopters = base.adopter_keys(self.caches.of(self.kind), replicaset.selector)
        base.on_change(self.caches.of(kinds.POD), adopters, enqueue)

    def view(self, key: Key) -> replicaset.View | None:
        """Return the owner and its pods."""
        owner = self.caches.of(self.kind).get(*key)
        if owner is None:
            return None
        selector, prefix = replicaset.selector(owner), children.prefix_of(owner)
        siblings = self._siblings(owner)
        pods, taken, related = [], set(), []
        for pod in self.caches.of(kinds.POD).items(key[0]):
            if claims.is_owned(pod, owner) or selector.matches(objects.labels(pod)):
                pods.append(pod)
            if siblings and (objects.controller_of(pod) or {}).get("uid") in siblings:
                related.append(pod)
            if objects.name(pod).startswith(prefix):
                taken.add(objects.name(pod))
        return replicaset.View(owner, tuple(pods), frozenset(taken), tuple(related))

    def _siblings(self, owner: Object) -> frozenset[str]:
        """Return the uids of all that have the owner's controller, empty if there is no other one."""
        above = (objects.controller_of(owner) or {}).get("uid")
        if above is None:
            return frozenset()
        found = frozenset(
            objects.uid(each)
            for each in self.caches.of(self.kind).items(objects.namespace(owner))
            if (objects.controller_of(each) or {}).get("uid") == above
        )
        return found if len(found) > 1 else frozenset()

    def desired(self, view: replicaset.View, now: datetime) -> Plan:
        """Return the plan."""
        return replicaset.desired(view, now)

    def failed(self, view: replicaset.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the owner that a pod was refused."""
        return replicaset.failed(view, action, message, now)


class ReplicationControllerController(ReplicaSetController):
    """Key: a ReplicationController."""

    name = "replicationcontroller"
    kind = kinds.REPLICATION_CONTROLLER
    reads = (kinds.REPLICATION_CONTROLLER, kinds.POD)
