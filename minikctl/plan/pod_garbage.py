"""Pods that nobody looks after: those of a vanished node, and the oldest of too many finished ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Delete, Plan
from minikctl.model.objects import Object
from minikctl.plan import readiness

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
    """Return the pods to delete without grace."""
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
    actions = tuple(
        Delete(kinds.POD, *objects.key(pod), objects.uid(pod), grace_seconds=0) for pod in doomed.values()
    )
    return Plan(actions, wake_in=min(waits, default=None))


def _age_key(pod: Object) -> tuple[str, str]:
    return str(objects.meta(pod).get("creationTimestamp") or ""), objects.name(pod)
