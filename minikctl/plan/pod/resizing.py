"""Changing what a running container may use: in place, or by a restart where its policy asks for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from minikctl.model import objects, quantity
from minikctl.model.actions.node import RESIZE, ResizeContainer
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import events, resources, room
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import ContainerState, PodState, container_id
from minikctl.plan.scheduler import requests
from minikctl.plan.scheduler.facts import PodFacts

NAMES = ("cpu", "memory")
PENDING, RUNNING = "PodResizePending", "PodResizeInProgress"
WHOLE = "pod"
"""Beside a container's own requests and limits: those of its pod as a whole, when it was given them."""


def of(container: Object, spec: Object) -> Object:
    """Return what a container is given: what it asks for itself, and what its pod asks for as a whole."""
    own, whole = container.get("resources") or {}, spec.get("resources") or {}
    return {**own, WHOLE: whole} if whole else dict(own)


def applied(state: PodState, container: ContainerState) -> Object | None:
    """Return the resources that the running container has, None if nobody remembers any."""
    running = container.running
    if running is None:
        return None
    found = state.view.resized.get(running.id)
    if found is None and container.stored.get("containerID") == container_id(running):
        found = _told(objects.status(state.pod), container.stored)
    return None if found is None else dict(found)


def own(given: Object) -> Object:
    """Return what the container was given for itself."""
    return {side: amounts for side, amounts in given.items() if side != WHOLE}


def whole(state: PodState) -> Object:
    """Return what the pod as a whole has: what it asks for once each of its containers was told."""
    asked = state.spec.get("resources") or {}
    if any(_whole(applied(state, each) or {WHOLE: asked}) != _whole({WHOLE: asked}) for each in state.all):
        return dict(objects.status(state.pod).get("resources") or {})
    return dict(asked)


def changed(state: PodState, container: ContainerState) -> list[str]:
    """Return which of CPU and memory the running container, or its pod, has otherwise than its spec says."""
    found = applied(state, container)
    return [] if found is None else _differing(found, of(container.spec, state.spec))


def _differing(found: Object, wanted: Object) -> list[str]:
    return [name for name in NAMES if _all_sides(found, name) != _all_sides(wanted, name)]


def _told(status: Object, stored: Object) -> Object | None:
    """Return what a pod's status says that a container has, None if it says nothing of it."""
    if "resources" not in stored:
        return None
    return of(stored, {"resources": status.get("resources")})


def _all_sides(given: Object, name: str) -> list[Any]:
    return [*_sides(given, name), *_sides(given.get(WHOLE) or {}, name)]


def _whole(given: Object) -> list[Any]:
    return [_sides(given.get(WHOLE) or {}, name) for name in NAMES]


def _sides(given: Object, name: str) -> list[Any]:
    amounts = ((given.get(side) or {}).get(name) for side in ("requests", "limits"))
    return [None if amount is None else quantity.parse(amount) for amount in amounts]


def is_wanted(pod: Object) -> bool:
    """Tell whether a pod with this spec and status is to get other resources than it has."""
    status, spec = objects.status(pod), objects.spec(pod)
    stored = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    has = {each.get("name"): _told(status, each) for each in stored}
    return any(
        _differing(found, of(each, spec))
        for each in objects.containers(spec)
        if (found := has.get(each["name"])) is not None
    )


class Refusal(NamedTuple):
    """Why a change is not made: ``Infeasible`` for ever, or ``Deferred`` until there is room."""

    reason: str
    message: str


def refusal(state: PodState) -> Refusal | None:
    """Return why what is asked for is not given, None if it is."""
    if not any(changed(state, container) for container in state.all):
        return None
    wanted = PodFacts(requests.as_asked(state.pod))
    never = _infeasible(state, wanted)
    if never or state.view.machine is None:
        return Refusal("Infeasible", never) if never else None
    there = room.beside(state.view.machine, state.view.neighbours)
    short = room.shortage(there, wanted)
    return Refusal("Deferred", short.message) if short else None


def _infeasible(state: PodState, wanted: PodFacts) -> str:
    """Return why the node can never give what is asked for, "" if it might."""
    node = state.view.node
    for name, have in (("memory", node.memory_bytes), ("cpu", node.cpus * 1000)):
        amount = wanted.requests.get(name, 0)
        if have and amount > have:
            return f"Node didn't have enough capacity: {name}, requested: {amount}, capacity: {have}"
    return ""


def needs_restart(state: PodState, container: ContainerState) -> bool:
    """Tell whether the container asks to be restarted when what changes for it does.

    A limit that it has from its pod counts as its own.
    """
    found, wanted = applied(state, container) or {}, of(container.spec, state.spec)
    names = [name for name in NAMES if _effective(found, name) != _effective(wanted, name)]
    return any(
        each.get("resourceName") in names and each.get("restartPolicy") == "RestartContainer"
        for each in container.spec.get("resizePolicy") or ()
    )


def _effective(given: Object, name: str) -> list[Any]:
    request, limit = _sides(given, name)
    return [request, _sides(given.get(WHOLE) or {}, name)[1] if limit is None else limit]


def resize(state: PodState, draft: Draft, container: ContainerState, running: Container) -> None:
    """Add the change of the running container's limits, one at a time."""
    if not any(key[:2] == (*RESIZE, running.id) for key in draft.view.busy):
        draft.add(_change(state, container, running))


def _change(state: PodState, container: ContainerState, running: Container) -> ResizeContainer:
    return ResizeContainer(
        container=container.name,
        container_id=running.id,
        limits=resources.of(container.spec, state.spec),
        resources=of(container.spec, state.spec),
        field_path=events.container_path(container.name, container.role),
    )


def conditions(state: PodState) -> Iterator[Object]:
    """Yield what the pod says of changes that are under way, or that cannot be."""
    refused = refusal(state)
    if refused:
        yield {"type": PENDING, "status": "True", **refused._asdict()}
    elif _under_way(state):
        failure = _failure(state)
        yield {
            "type": RUNNING,
            "status": "True",
            **({"reason": "Error", "message": failure} if failure else {}),
        }


def report(state: PodState, draft: Draft) -> None:
    """Report that a change has begun, failed, cannot be, or is done, each once."""
    generation = objects.generation(state.pod)
    refused, failure = refusal(state), _failure(state)
    was_under_way = objects.condition(state.pod, RUNNING) is not None
    if refused:
        message = _message(state, refused.reason, refused.message)
        told = events.warning(state.pod, f"Resize{refused.reason}", message)
        draft.report(f"resize {refused.reason}/{generation}", told)
    elif _under_way(state):
        begun = events.normal(state.pod, "ResizeStarted", _message(state, "started"))
        draft.report(f"resize started/{generation}", begun)
        if failure:
            message = _message(state, "error", failure)
            draft.report(f"resize error/{generation}", events.warning(state.pod, "ResizeError", message))
    elif was_under_way:
        done = events.normal(state.pod, "ResizeCompleted", _message(state, "completed"))
        draft.report(f"resize completed/{generation}", done)


def _under_way(state: PodState) -> bool:
    """Tell whether a container does not have yet what its spec says; one that is restarted for it counts."""
    if any(changed(state, container) for container in state.all):
        return True
    restarting = any(app.running is None for app in state.apps)
    return restarting and objects.condition(state.pod, RUNNING) is not None


def _failure(state: PodState) -> str:
    """Return why a change that is wanted now has failed, "" if none has."""
    for container in state.all:
        running = container.running
        if running is None or not changed(state, container) or needs_restart(state, container):
            continue
        failure = state.view.failures.get(_change(state, container, running).key)
        if failure is not None:
            return failure.message
    return ""


def _message(state: PodState, word: str, error: str = "") -> str:
    """Return a kubelet's sentence: what all containers ask for, as JSON in the order of its fields."""
    found: Object = {"resources": _amounts(state.spec)} if state.spec.get("resources") else {}
    for field in ("initContainers", "containers"):
        asked = [_asked(container) for container in state.spec.get(field) or ()]
        found |= {field: asked} if asked else {}
    found["generation"] = objects.generation(state.pod)
    found |= {"error": error} if error else {}
    return f"Pod resize {word}: {json.dumps(found, separators=(',', ':'))}"


def _asked(container: Object) -> Object:
    return {"name": container.get("name"), "resources": _amounts(container)}


def _amounts(holder: Object) -> Object:
    resources = holder.get("resources") or {}
    return {
        side: dict(sorted(resources[side].items())) for side in ("limits", "requests") if resources.get(side)
    }
