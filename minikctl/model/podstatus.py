"""What ``kubectl get pods`` says of a pod: ready containers, the one-word status, restarts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import durations, objects
from minikctl.model.objects import Object


def restartable_init(pod: Object) -> dict[str, bool]:
    """Return for each init container by name whether it is a sidecar: one that keeps running."""
    containers = objects.spec(pod).get("initContainers") or ()
    return {each.get("name", ""): each.get("restartPolicy") == "Always" for each in containers}


def _state(status: dict[str, Any], name: str) -> dict[str, Any] | None:
    found = (status.get("state") or {}).get(name)
    return found if isinstance(found, dict) else None


def _ended(prefix: str, state: dict[str, Any]) -> str:
    if state.get("reason"):
        return f"{prefix}{state['reason']}"
    if state.get("signal"):
        return f"{prefix}Signal:{state['signal']}"
    return f"{prefix}ExitCode:{state.get('exitCode', 0)}"


def _initializing(pod: Object) -> str:
    """Return the status that the first unfinished init container gives, "" if all are through."""
    sidecars = restartable_init(pod)
    for index, status in enumerate(objects.status(pod).get("initContainerStatuses") or ()):
        ended, waiting = _state(status, "terminated"), _state(status, "waiting")
        if ended and not ended.get("exitCode"):
            continue
        if sidecars.get(status.get("name", "")) and status.get("started"):
            continue
        if ended:
            return _ended("Init:", ended)
        reason = (waiting or {}).get("reason") or ""
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{index}/{len(sidecars)}"
    return ""


def _is_true(pod: Object, condition: str) -> bool:
    return (objects.condition(pod, condition) or {}).get("status") == "True"


def _running(pod: Object, reason: str) -> str:
    """Return the status that the app containers give, the first one having the last word."""
    some_run = False
    for status in reversed(objects.status(pod).get("containerStatuses") or ()):
        ended = _state(status, "terminated")
        if waiting := (_state(status, "waiting") or {}).get("reason"):
            reason = waiting
        elif ended is not None:
            reason = _ended("", ended)
        elif status.get("ready") and _state(status, "running") is not None:
            some_run = True
    if reason == "Completed" and some_run:
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return reason


def reason(pod: Object) -> str:
    """Return the STATUS column: Running, Init:0/1, CrashLoopBackOff, Completed, Terminating and so on."""
    status = objects.status(pod)
    found = str(status.get("reason") or status.get("phase") or "")
    if (objects.condition(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated":
        found = "SchedulingGated"
    initializing = _initializing(pod)
    if initializing and not _is_true(pod, "Initialized"):
        found = initializing
    else:
        found = _running(pod, initializing or found)
    if objects.is_deleting(pod):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if status.get("phase") not in ("Failed", "Succeeded"):
            return "Terminating"
    return found


def _long_running(pod: Object) -> list[dict[str, Any]]:
    """Return the statuses of sidecars and app containers."""
    sidecars = restartable_init(pod)
    inits = objects.status(pod).get("initContainerStatuses") or ()
    return [
        *(each for each in inits if sidecars.get(each.get("name", ""))),
        *(objects.status(pod).get("containerStatuses") or ()),
    ]


def ready(pod: Object) -> str:
    """Return the READY column: how many of the containers that are to run are ready."""
    total = len(objects.spec(pod).get("containers") or ()) + sum(restartable_init(pod).values())
    count = sum(1 for each in _long_running(pod) if each.get("ready") and _state(each, "running") is not None)
    return f"{count}/{total}"


def restarts(pod: Object, now: datetime) -> str:
    """Return the RESTARTS column: ``3 (5m ago)``; while init containers run, it is about them."""
    status = objects.status(pod)
    if _initializing(pod) and not _is_true(pod, "Initialized"):
        counted = list(status.get("initContainerStatuses") or ())
    else:
        counted = _long_running(pod)
    total = sum(int(each.get("restartCount") or 0) for each in counted)
    ends = [((each.get("lastState") or {}).get("terminated") or {}).get("finishedAt") for each in counted]
    moments = [moment for end in ends if (moment := objects.parse_time(end))]
    if not total or not moments:
        return str(total)
    return f"{total} ({durations.human((now - max(moments)).total_seconds())} ago)"
