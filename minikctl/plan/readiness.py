"""What controllers ask of a pod: is it active, ready, available, finished."""

from __future__ import annotations

from datetime import datetime, timedelta

from minikctl.model import objects
from minikctl.model.objects import Object

FINISHED = ("Succeeded", "Failed")


def phase(pod: Object) -> str:
    """Return status.phase or ""."""
    return str(objects.status(pod).get("phase") or "")


def is_finished(pod: Object) -> bool:
    """Tell whether the pod has succeeded or failed for good."""
    return phase(pod) in FINISHED


def is_active(pod: Object) -> bool:
    """Tell whether the pod counts as a replica: neither finished nor on its way out."""
    return not is_finished(pod) and not objects.is_deleting(pod)


def is_terminating(pod: Object) -> bool:
    """Tell whether the pod is on its way out but not finished."""
    return not is_finished(pod) and objects.is_deleting(pod)


def is_ready(pod: Object) -> bool:
    """Tell whether the pod's Ready condition is True."""
    for condition in objects.status(pod).get("conditions") or ():
        if condition.get("type") == "Ready":
            return bool(condition.get("status") == "True")
    return False


def ready_since(pod: Object) -> datetime | None:
    """Return when a ready pod became ready; None for one that is not, or does not tell."""
    ready = objects.condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    return objects.parse_time(ready.get("lastTransitionTime"))


def available_in(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """Return in how many seconds the pod will be available, 0 if it is, None if it is not even ready."""
    if not is_ready(pod):
        return None
    if min_ready_seconds == 0:
        return 0.0
    since = ready_since(pod)
    if since is None:
        return None
    return max(0.0, (since + timedelta(seconds=min_ready_seconds) - now).total_seconds())


def restarts(pod: Object) -> int:
    """Return the highest restart count of the pod's containers."""
    counts = (
        int(each.get("restartCount") or 0) for each in objects.status(pod).get("containerStatuses") or ()
    )
    return max(counts, default=0)


def address(pod: Object) -> str:
    """Return the pod's IP or ""."""
    status = objects.status(pod)
    listed = [str(each.get("ip") or "") for each in status.get("podIPs") or ()]
    return listed[0] if listed else str(status.get("podIP") or "")
