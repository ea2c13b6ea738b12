"""What a StatefulSet says of itself: counts, and the revisions that its pods come from and go to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.history import History
from minikctl.plan.statefulset import parts
from minikctl.plan.statefulset.parts import StatefulSet


def of(
    owner: StatefulSet, pods: Iterable[Object], current: Object, past: History, now: datetime
) -> dict[str, Any]:
    """Return the status; a rolling update ends by the update's revision becoming the current one."""
    mine = [pod for pod in pods if parts.member(owner.object, pod) is not None and readiness.phase(pod)]
    ready = [pod for pod in mine if readiness.phase(pod) == "Running" and readiness.is_ready(pod)]
    available = [pod for pod in ready if readiness.available_in(pod, owner.min_ready, now) == 0.0]
    revisions = [parts.revision(pod) for pod in mine if not objects.is_deleting(pod)]
    before, after = objects.name(current), objects.name(past.wanted)
    updated = revisions.count(after)
    done = updated == len(mine) == len(ready) == owner.replicas
    if owner.rolling and done:
        before = after
    counts = {
        "readyReplicas": len(ready),
        "currentReplicas": revisions.count(before),
        "updatedReplicas": updated,
    }
    return {
        **{name: value for name, value in objects.status(owner.object).items() if name == "conditions"},
        "observedGeneration": objects.generation(owner.object),
        "replicas": len(mine),
        **{name: count for name, count in counts.items() if count},
        "currentRevision": before,
        "updateRevision": after,
        "collisionCount": past.collisions,
        "availableReplicas": len(available),
    }


def wake_in(owner: StatefulSet, pods: Iterable[Object], now: datetime) -> float | None:
    """Return when the next pod becomes available by time alone."""
    waits = [readiness.available_in(pod, owner.min_ready, now) for pod in pods]
    return min((wait for wait in waits if wait), default=None)
