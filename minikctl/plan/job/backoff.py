"""Waiting after failures: 10 s, then twice as long each time up to 10 min, from when the last pod failed.

Kubernetes keeps the count in memory; here it is read off the pods, so a new control plane knows it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from minikctl.model import objects
from minikctl.model.objects import Object

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 600.0
_EVER = datetime.min.replace(tzinfo=UTC)


def finished_at(pod: Object) -> datetime:
    """Return when the pod ended, as well as it tells: by containers, readiness, deletion, creation."""
    ended = [
        objects.parse_time(((each.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for each in objects.status(pod).get("containerStatuses") or ()
    ]
    known = [each for each in ended if each is not None]
    if known and len(known) == len(ended):
        return max(known)
    ready = objects.condition(pod, "Ready") or {}
    meta = objects.meta(pod)
    unready = objects.parse_time(ready.get("lastTransitionTime")) if ready.get("status") == "False" else None
    deleted = objects.parse_time(meta.get("deletionTimestamp"))
    if unready is None and deleted is not None:
        unready = deleted - timedelta(seconds=int(meta.get("deletionGracePeriodSeconds") or 0))
    return unready or objects.parse_time(meta.get("creationTimestamp")) or _EVER


def after(succeeded: Iterable[Object], failed: Iterable[Object], now: datetime) -> float:
    """Return in how many seconds the next pod may be created, given the pods that ended."""
    last_success = max(map(finished_at, succeeded), default=_EVER)
    failures = [moment for moment in map(finished_at, failed) if moment > last_success]
    return remaining(len(failures), max(failures, default=_EVER), now)


def remaining(failures: int, last: datetime, now: datetime) -> float:
    """Return what is left of the delay after so many failures in a row, the last one at ``last``."""
    if not failures:
        return 0.0
    delay = min(FIRST_SECONDS * float(1 << min(failures - 1, 10)), LONGEST_SECONDS)
    return max(0.0, delay - (now - last).total_seconds())
