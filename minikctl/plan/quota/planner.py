"""The status of a ResourceQuota: what is allowed, and what is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.actions.api import Plan
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.plan.quota import scopes, usage

RESYNC_SECONDS = 300.0


@dataclass(frozen=True)
class View:
    """A quota and the objects of its namespace that it may count, each with its kind."""

    object: Object
    counted: tuple[tuple[Kind, Object], ...]


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the status that the quota is to have, and look again after five minutes."""
    quota = view.object
    if objects.is_deleting(quota):
        return Plan()
    hard = objects.spec(quota).get("hard") or {}
    return Plan((), {"hard": dict(hard), "used": used(quota, hard, view.counted)}, RESYNC_SECONDS)


def used(quota: Object, names: Iterable[str], counted: Iterable[tuple[Kind, Object]]) -> dict[str, str]:
    """Return what is used of these resources, as far as the quota looks at it."""
    found = [usage.of(kind, obj) for kind, obj in counted if scopes.selects(quota, kind, obj)]
    return usage.total(found, names)


def exceeded(quota: Object, asked: Mapping[str, str], present: Mapping[str, str]) -> str:
    """Return Kubernetes' words for what of the asked is too much beside the present, "" if nothing is."""
    hard = objects.spec(quota).get("hard") or {}
    over = [
        name
        for name in sorted(asked)
        if name in hard
        and quantity.parse(asked[name]) > 0
        and quantity.compare(quantity.total([present.get(name, "0"), asked[name]]), hard[name]) > 0
    ]
    if not over:
        return ""

    def listed(amounts: Mapping[str, Any]) -> str:
        return ",".join(f"{name}={quantity.canonical(amounts.get(name, '0'))}" for name in over)

    return (
        f"exceeded quota: {objects.name(quota)}, requested: {listed(asked)}, used: {listed(present)}, "
        f"limited: {listed(hard)}"
    )
