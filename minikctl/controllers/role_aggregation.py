"""Keep the rules of aggregated ClusterRoles."""

from __future__ import annotations

from datetime import datetime

from minikctl.controllers import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key, Object
from minikctl.plan import role_aggregation as plan


class RoleAggregationController(base.CachedController[plan.View]):
    """Key: ("", the ClusterRole's name)."""

    name = "clusterrole aggregation"
    kind = kinds.CLUSTER_ROLE
    reads = (kinds.CLUSTER_ROLE,)

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Have every aggregated role looked at when any role changes: there are few."""
        roles = self.caches.of(kinds.CLUSTER_ROLE)

        def changed(old: Object | None, new: Object | None) -> None:
            del old, new
            for role in roles.items():
                if role.get("aggregationRule"):
                    enqueue(objects.key(role))

        roles.subscribe(changed)

    def view(self, key: Key) -> plan.View | None:
        """Return the role with all others."""
        roles = self.caches.of(kinds.CLUSTER_ROLE)
        found = roles.get(*key)
        return None if found is None else plan.View(found, tuple(roles.items()))

    def desired(self, view: plan.View, now: datetime) -> Plan:
        """Return the plan."""
        return plan.desired(view, now)
