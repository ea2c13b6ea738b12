"""Roles made of others: the rules of an aggregated ClusterRole are those of all that its selectors choose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Plan, Update
from minikctl.model.objects import Object


@dataclass(frozen=True)
class View:
    """An aggregated ClusterRole and all ClusterRoles."""

    object: Object
    roles: tuple[Object, ...]


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the update of the rules, if they are not what they should be."""
    role = view.object
    chosen = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    if not chosen or objects.is_deleting(role):
        return Plan()
    rules: list[Any] = []
    for selector in map(selectors.of, chosen):
        for each in sorted(view.roles, key=objects.name):
            if objects.name(each) == objects.name(role) or not selector.matches(objects.labels(each)):
                continue
            rules += [rule for rule in each.get("rules") or () if rule not in rules]
    if rules == (role.get("rules") or []):
        return Plan()
    return Plan((Update(kinds.CLUSTER_ROLE, {**role, "rules": rules}),))
