"""Pods that nobody looks after: those of a vanished node, and the oldest of too many finished ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Delete, Patch, Plan
from minikctl.model.objects import Object
from minikctl.plan import conditions, readiness

MAX_FINISHED = 12500
QUARANTINE = timedelta(seconds=40)
"""A node that is missing may be about to register again."""


@dataclass(frozen=True)
class View:
    """All pods, and since when each node that some pod is bound to has been missing."""

    pods: tuple[Object, ...] = ()
    missing: Mapping[str, datetime] = field(default_factory=dict)
    object: Object = field(default_factory=dict)


def desired(view: View, now: datetime) -> Plan:
    """Return the pods to delete without grace, after those that were at work are told to have failed."""
    lost: list[Object] = []
    waits: list[float] = []
    for pod in view.pods:
        since = view.missing.get(str(objects.spec(pod).get("nodeName") or ""))
        if since is None:
            continue
        wait = (since + QUARANTINE - now).total_seconds()
        if wait > 0:
            waits.append(wait)
        else:
            lost.append(pod)
    finished = sorted((pod for pod in view.pods if readiness.is_finished(pod)), key=_age_key)
    surplus = finished[: max(len(finished) - MAX_FINISHED, 0)]
    doomed = {objects.uid(pod): pod for pod in lost + surplus}
    actions: list[ApiAction] = []
    for pod in doomed.values():
        if not readiness.is_finished(pod):
            actions.append(_failed(pod, now))
        actions.append(Delete(kinds.POD, *objects.key(pod), objects.uid(pod), grace_seconds=0))
    return Plan(tuple(actions), wake_in=min(waits, default=None))


def _failed(pod: Object, now: datetime) -> ApiAction:
    """Return what says that the pod has failed: no node will, and a finalizer may keep it for a while."""
    target = conditions.new(
        "DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists", now
    )
    told = conditions.refreshed(objects.status(pod).get("conditions") or (), target)
    status = {"phase": "Failed", "conditions": told}
    return Patch(kinds.POD, *objects.key(pod), {"status": status}, "status")


def _age_key(pod: Object) -> tuple[str, str]:
    return str(objects.meta(pod).get("creationTimestamp") or ""), objects.name(pod)
