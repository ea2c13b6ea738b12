"""Keeps the status of PodDisruptionBudgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import disruption

SCALED = (kinds.REPLICA_SET, kinds.STATEFUL_SET, kinds.REPLICATION_CONTROLLER, kinds.DEPLOYMENT)


class DisruptionController(base.CachedController[disruption.View]):
    """Key: a PodDisruptionBudget."""

    name = "disruption"
    kind = kinds.POD_DISRUPTION_BUDGET
    reads = (kinds.POD_DISRUPTION_BUDGET, kinds.POD, *SCALED)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow budgets, the pods that they select, and how many of them their controllers want."""
        base.on_change(self.caches.of(kinds.POD_DISRUPTION_BUDGET), base.own_key, enqueue)
        base.on_change(self.caches.of(kinds.POD), self._protectors, enqueue)

        def scaled(old: Object | None, new: Object | None) -> None:
            if objects.spec(old or {}).get("replicas") != objects.spec(new or {}).get("replicas"):
                for budget in self.caches.of(kinds.POD_DISRUPTION_BUDGET).items(
                    objects.namespace(new or old or {})
                ):
                    enqueue(objects.key(budget))

        for kind in SCALED:
            self.caches.of(kind).subscribe(scaled)

    def _protectors(self, pod: Object) -> Iterator[Key]:
        for budget in self.caches.of(kinds.POD_DISRUPTION_BUDGET).items(objects.namespace(pod)):
            if disruption.selector_of(budget).matches(objects.labels(pod)):
                yield objects.key(budget)

    def view(self, key: Key) -> disruption.View | None:
        """Return the budget with its pods."""
        budget = self.caches.of(kinds.POD_DISRUPTION_BUDGET).get(*key)
        if budget is None:
            return None
        selector = disruption.selector_of(budget)
        pods = tuple(
            pod for pod in self.caches.of(kinds.POD).items(key[0]) if selector.matches(objects.labels(pod))
        )
        owners = [owner for pod in pods if (owner := objects.controller_of(pod)) is not None]
        return disruption.View(budget, pods, {str(each["uid"]): self._scale(key[0], each) for each in owners})

    def desired(self, view: disruption.View, now: datetime) -> Plan:
        """Return the plan."""
        return disruption.desired(view, now)

    def _scale(self, namespace: str, owner: Object) -> int:
        """Return how many pods a controller wants; a ReplicaSet of a Deployment wants what that one wants."""
        for kind in SCALED:
            if owner.get("kind") != kind.kind:
                continue
            found = self.caches.of(kind).get(namespace, str(owner.get("name")))
            if found is None:
                return 0
            above = objects.controller_of(found)
            if kind is kinds.REPLICA_SET and above is not None and above.get("kind") == kinds.DEPLOYMENT.kind:
                return self._scale(namespace, above)
            replicas = objects.spec(found).get("replicas")
            return 1 if replicas is None else int(replicas)
        return 0
