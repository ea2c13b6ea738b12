"""Rolls Deployments out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import claims
from minikctl.plan.deployment import parts, planner


class DeploymentController(base.CachedController[parts.View]):
    """Key: a Deployment."""

    name = "deployment"
    kind = kinds.DEPLOYMENT
    reads = (kinds.DEPLOYMENT, kinds.REPLICA_SET, kinds.POD)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow Deployments, their ReplicaSets, and the end of pods that a Recreate waits for."""
        base.on_change(self.caches.of(kinds.DEPLOYMENT), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.REPLICA_SET), base.owner_key(kinds.DEPLOYMENT), enqueue)
        adopters = base.adopter_keys(self.caches.of(kinds.DEPLOYMENT), base.selector_of)
        base.on_change(self.caches.of(kinds.REPLICA_SET), adopters, enqueue)

        def pod_changed(old: Object | None, new: Object | None) -> None:
            if old is not None and new is None:
                for key in self._recreating(old):
                    enqueue(key)

        self.caches.of(kinds.POD).subscribe(pod_changed)

    def _recreating(self, pod: Object) -> Iterator[Key]:
        """Yield the Deployment that may wait for this pod's end."""
        for namespace, name in base.owner_key(kinds.REPLICA_SET)(pod):
            replica_set = self.caches.of(kinds.REPLICA_SET).get(namespace, name)
            for key in base.owner_key(kinds.DEPLOYMENT)(replica_set or {}):
                owner = self.caches.of(kinds.DEPLOYMENT).get(*key)
                if owner is not None and _recreates(owner):
                    yield key

    def view(self, key: Key) -> parts.View | None:
        """Return the Deployment with its ReplicaSets and, if it waits for their end, their pods."""
        owner = self.caches.of(kinds.DEPLOYMENT).get(*key)
        if owner is None:
            return None
        selector = base.selector_of(owner)
        sets = tuple(
            each
            for each in self.caches.of(kinds.REPLICA_SET).items(key[0])
            if claims.is_owned(each, owner)
            or selector.matches(objects.labels(each))
            or objects.name(each).startswith(f"{key[1]}-")
        )
        pods: tuple[Object, ...] = ()
        if _recreates(owner):
            owned = {objects.uid(each) for each in sets if claims.is_owned(each, owner)}
            pods = tuple(
                pod
                for pod in self.caches.of(kinds.POD).items(key[0])
                if (objects.controller_of(pod) or {}).get("uid") in owned
            )
        return parts.View(owner, sets, pods)

    def desired(self, view: parts.View, now: datetime) -> Plan:
        """Return the plan."""
        return planner.desired(view, now)

    def failed(self, view: parts.View, action: object, message: str, now: datetime) -> Plan:
        """Tell on the Deployment that its new ReplicaSet was refused."""
        return planner.failed(view, action, message, now)


def _recreates(owner: Object) -> bool:
    return (objects.spec(owner).get("strategy") or {}).get("type") == "Recreate"
