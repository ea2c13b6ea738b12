"""What keeps a pod from running or from being ready, in one phrase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.why.links import View


def trouble(pod: Object, view: View) -> str:
    """Return why the pod is not ready, "" when it is; the phrase goes on after the pod's name."""
    if readiness.is_finished(pod):
        return f"has ended ({readiness.phase(pod)})"
    if objects.is_deleting(pod):
        return "is being deleted"
    scheduled = objects.condition(pod, "PodScheduled") or {}
    if scheduled.get("status") == "False":
        return f"is on no node: {scheduled.get('message') or scheduled.get('reason')}"
    if not objects.spec(pod).get("nodeName"):
        return "is on no node yet"
    found = next(_containers(pod, view), "")
    if found or readiness.is_ready(pod):
        return found
    ready = objects.condition(pod, "Ready") or {}
    return f"is not ready: {ready.get('message') or ready.get('reason') or 'it has only just started'}"


def _containers(pod: Object, view: View) -> Iterator[str]:
    status = objects.status(pod)
    inits = objects.spec(pod).get("initContainers") or ()
    sidecars = {one["name"] for one in inits if one.get("restartPolicy") == "Always"}
    for init in status.get("initContainerStatuses") or ():
        state = init.get("state") or {}
        finished = (state.get("terminated") or {}).get("exitCode") == 0
        passed = init["name"] in sidecars and init.get("started") and "running" in state
        if not finished and not init.get("ready") and not passed:
            yield f"waits for its init container {init['name']}: {_state(state, init)}"
    for one in status.get("containerStatuses") or ():
        state = one.get("state") or {}
        if "running" not in state:
            yield f"has a container that does not run, {one['name']}: {_state(state, one)}"
        elif not one.get("ready"):
            said = view.said_of(pod, "Unhealthy")
            yield f"has a container that is not ready, {one['name']}: {said or _unready(one)}"


def _unready(status: Mapping[str, Any]) -> str:
    return (
        "its startup probe has not passed" if status.get("started") is False else "its readiness probe fails"
    )


def _state(state: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    if "waiting" in state:
        waiting = state["waiting"]
        last = (status.get("lastState") or {}).get("terminated")
        ended = f" (it ended with exit code {last.get('exitCode')})" if last else ""
        message = f": {waiting['message']}" if waiting.get("message") and not last else ""
        return f"{waiting.get('reason') or 'waiting'}{message}{ended}"
    if "terminated" in state:
        return f"it ended with exit code {state['terminated'].get('exitCode')}"
    return "it is still running" if "running" in state else "it has not been started"
