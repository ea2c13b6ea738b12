"""PodDisruptionBudget: how many of the pods that it selects may be taken away now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.actions.api import ApiAction, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import conditions, readiness

COMPONENT = "controllermanager"
PATIENCE = timedelta(minutes=2)
"""So long an evicted pod may take to be deleted before it counts again."""
ALLOWED = "DisruptionAllowed"


@dataclass(frozen=True)
class View:
    """A budget, the pods that it selects, and how many replicas the pods' controllers want, by uid."""

    object: Object
    pods: tuple[Object, ...] = ()
    scales: Mapping[str, int] = field(default_factory=dict)


def selector_of(budget: Object) -> selectors.Selector:
    """Return whom the budget protects: an absent selector means nobody, an empty one all of the namespace."""
    return selectors.of(objects.spec(budget).get("selector"))


def desired(view: View, now: datetime) -> Plan:
    """Return the budget's status; an eviction notes itself there until the pod is gone."""
    waiting, late = _evicted(view, now)
    healthy = sum(
        readiness.is_ready(pod) and not objects.is_deleting(pod) and objects.name(pod) not in waiting
        for pod in view.pods
    )
    expected, needed, unmanaged = _wanted(view)
    allowed = max(healthy - needed, 0) if expected > 0 else 0
    counts: dict[str, Any] = {
        "currentHealthy": healthy,
        "desiredHealthy": needed,
        "expectedPods": expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": objects.generation(view.object),
    }
    status = {**counts, **({"disruptedPods": waiting} if waiting else {})}
    status["conditions"] = with_allowance(objects.status(view.object), counts, now)
    actions: list[ApiAction] = [_not_deleted(view.object, pod) for pod in late]
    if status != objects.status(view.object):
        actions += _told(view, unmanaged)
    return Plan(tuple(actions), status, _next_look(waiting, now))


def with_allowance(
    status: Mapping[str, Any], counts: Mapping[str, Any], now: datetime
) -> list[dict[str, Any]]:
    """Return the conditions with the one that says whether an eviction is allowed."""
    allowed = int(counts["disruptionsAllowed"]) > 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    wanted = conditions.new(ALLOWED, "True" if allowed else "False", reason, "", now)
    wanted["observedGeneration"] = counts["observedGeneration"]
    found = list(status.get("conditions") or ())
    before = conditions.find(found, ALLOWED) or {}
    if before.get("observedGeneration") != wanted["observedGeneration"]:
        found = [{**each, "message": None} if each.get("type") == ALLOWED else each for each in found]
    return conditions.refreshed(found, wanted)


def _evicted(view: View, now: datetime) -> tuple[dict[str, str], list[Object]]:
    """Return the evicted pods that are still to be deleted, and those for which that took too long."""
    noted = objects.status(view.object).get("disruptedPods") or {}
    waiting: dict[str, str] = {}
    late: list[Object] = []
    for pod in view.pods:
        since = objects.parse_time(noted.get(objects.name(pod)))
        if since is None or objects.is_deleting(pod):
            continue
        if now - since > PATIENCE:
            late.append(pod)
        else:
            waiting[objects.name(pod)] = str(noted[objects.name(pod)])
    return waiting, late


def _wanted(view: View) -> tuple[int, int, bool]:
    """Return how many pods there should be, how many must be healthy, and whether some have no controller."""
    spec = objects.spec(view.object)
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is None and not isinstance(least, str):
        return len(view.pods), int(least or 0), False
    owners = [objects.controller_of(pod) for pod in view.pods]
    uids = {str(owner.get("uid")) for owner in owners if owner is not None}
    expected = sum({uid: view.scales.get(uid, 0) for uid in uids}.values())
    unmanaged = any(owner is None for owner in owners)
    if most is not None:
        return expected, max(expected - _share(most, expected), 0), unmanaged
    return expected, _share(least, expected), unmanaged


def _share(value: Any, whole: int) -> int:
    if isinstance(value, str):
        return math.ceil(int(value.rstrip("%")) * whole / 100)
    return int(value)


def _told(view: View, unmanaged: bool) -> list[ApiAction]:
    if not view.pods:
        return [RecordEvent(view.object, "Normal", "NoPods", "No matching pods found", COMPONENT)]
    if not unmanaged:
        return []
    text = (
        f"Pods selected by this PodDisruptionBudget (selector: {selector_of(view.object)}) were found to be "
        "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in "
        'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to '
        "an integer value."
    )
    return [RecordEvent(view.object, "Warning", "UnmanagedPods", text, COMPONENT)]


def _not_deleted(budget: Object, pod: Object) -> ApiAction:
    text = f"Pod was expected by PDB {'/'.join(objects.key(budget))} to be deleted but it wasn't"
    return RecordEvent(pod, "Warning", "NotDeleted", text, COMPONENT)


def _next_look(waiting: Mapping[str, str], now: datetime) -> float | None:
    moments = [moment for text in waiting.values() if (moment := objects.parse_time(text)) is not None]
    return (min(moments) + PATIENCE - now).total_seconds() + 0.001 if moments else None
