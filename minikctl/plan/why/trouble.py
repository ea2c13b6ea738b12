"""What keeps a pod from running or from being ready, in one phrase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.pod import pausing
from minikctl.plan.why.links import View

BEFORE_CONTAINERS = ("ContainerCreating", "PodInitializing")
OBSTACLES = ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox")
"""Reasons of events on what keeps a pod from getting to its containers."""
AGENT = "minikctl-agent"
NEVER_STARTED = ("StartError", "ContainerCannotRun")


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
            yield f"waits for its init container {init['name']}: {_state(pod, init, view)}"
    for one in status.get("containerStatuses") or ():
        state = one.get("state") or {}
        if "running" not in state:
            yield f"has a container that does not run, {one['name']}: {_state(pod, one, view)}"
        elif not one.get("ready"):
            said = _paused(pod, one["name"], view) or next(
                iter(view.said_of(pod, "Unhealthy").splitlines()), ""
            )
            yield f"has a container that is not ready, {one['name']}: {said or _unready(one)}"


def _paused(pod: Object, container: str, view: View) -> str:
    """Return what was told of a container that is paused, "" of one that is not."""
    last = view.last_of(pod, pausing.PAUSED, pausing.RESUMED, "Started") or {}
    about = f"{{{container}}}" in str((last.get("involvedObject") or {}).get("fieldPath"))
    return str(last.get("message")) if last.get("reason") == pausing.PAUSED and about else ""


def _unready(status: Mapping[str, Any]) -> str:
    return (
        "its startup probe has not passed" if status.get("started") is False else "its readiness probe fails"
    )


def _state(pod: Object, status: Mapping[str, Any], view: View) -> str:
    state = status.get("state") or {}
    if "waiting" in state:
        reason = state["waiting"].get("reason") or "waiting"
        last = (status.get("lastState") or {}).get("terminated")
        if last:
            how, hint, way = ended(pod, status["name"], last).partition("; hint: ")
            return f"{reason} ({how}){hint}{way}"
        told = state["waiting"].get("message")
        if not told and reason in BEFORE_CONTAINERS:
            told = view.said_of(pod, *OBSTACLES) or _agent(pod, view)
        return f"{reason}: {of_image(status, told)}" if told else str(reason)
    if "terminated" in state:
        return ended(pod, status["name"], state["terminated"])
    return "it is still running" if "running" in state else "it has not been started"


def _agent(pod: Object, view: View) -> str:
    """Return what is wrong with the agent that makes pods' networks, "" if nothing is."""
    found = [
        one
        for one in view.pods
        if objects.namespace(one) == "kube-system" and objects.labels(one).get("k8s-app") == AGENT
    ]
    if not found or any(readiness.is_ready(one) for one in found) or pod in found:
        return ""
    name = f"pod kube-system/{objects.name(found[0])}"
    return f"it waits for the network agent, {name}, which {trouble(found[0], view)}"


def of_image(status: Mapping[str, Any], told: str) -> str:
    """Return what is told of a container that waits, with its image if that is what it is about."""
    image = str(status.get("image") or "")
    about = "ImagePull" in ((status.get("state") or {}).get("waiting") or {}).get("reason", "")
    return f"image {image}: {told}" if about and image and image not in told else told


def ended(pod: Object, name: str, last: Mapping[str, Any]) -> str:
    """Return how a container has ended, in words that say what to look at."""
    spec = next((one for one in _specs(pod) if one.get("name") == name), {})
    if last.get("reason") == "OOMKilled":
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
        over = f"its limit of {limit}" if limit else "there is"
        return f"it was killed because it took more memory than {over}: OOMKilled"
    if last.get("reason") in NEVER_STARTED and last.get("message"):
        return f"it could not be started: {_bare(str(last['message']))}{_one_word(spec)}"
    if last.get("exitCode") == 0:
        return "it ended with exit code 0: its command does its work and ends, instead of going on"
    return f"it ended with exit code {last.get('exitCode')}"


def _specs(pod: Object) -> Iterator[Mapping[str, Any]]:
    spec = objects.spec(pod)
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def crashed(pod: Object) -> tuple[str, bool]:
    """Return a container that has ended, and whether the next one waits in its place; ("", False) if none."""
    status = objects.status(pod)
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        state = one.get("state") or {}
        waits = "waiting" in state
        last = ((one.get("lastState") or {}) if waits else state).get("terminated") or {}
        if last and last.get("reason") not in NEVER_STARTED and last.get("reason") != "Completed":
            return str(one["name"]), waits
    return "", False


def _bare(message: str) -> str:
    """Return the engine's message without the names of its layers."""
    return message.rpartition("unable to start container process: ")[2].removesuffix(": unknown")


def _one_word(spec: Mapping[str, Any]) -> str:
    """Return the hint on a command line that was given as one word."""
    first = str(next(iter(spec.get("command") or spec.get("args") or ()), ""))
    if " " not in first.strip():
        return ""
    words = ", ".join(f'"{word}"' for word in first.split())
    return f"; hint: the command is one word with spaces in it: write each word by itself, [{words}]"
