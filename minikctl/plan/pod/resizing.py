"""Changing what a running container may use: in place, or by a restart where its policy asks for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from minikctl.model import objects, quantity
from minikctl.model.actions.node import ResizeContainer
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import events, resources, room
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import ContainerState, PodState, container_id
from minikctl.plan.scheduler.facts import PodFacts

NAMES = ("cpu", "memory")
PENDING, RUNNING = "PodResizePending", "PodResizeInProgress"


def applied(state: PodState, container: ContainerState) -> Object | None:
    """Return the resources that the running container has, None if nobody remembers any."""
    running = container.running
    if running is None:
        return None
    found = state.view.resized.get(running.id)
    if found is None and container.stored.get("containerID") == container_id(running):
        found = container.stored.get("resources")
    return None if found is None else dict(found)


def changed(state: PodState, container: ContainerState) -> list[str]:
    """Return which of CPU and memory the running container has otherwise than its spec says."""
    found = applied(state, container)
    wanted = container.spec.get("resources") or {}
    if found is None:
        return []
    return [name for name in NAMES if _sides(found, name) != _sides(wanted, name)]


def _sides(given: Object, name: str) -> list[Any]:
    amounts = ((given.get(side) or {}).get(name) for side in ("requests", "limits"))
    return [None if amount is None else quantity.parse(amount) for amount in amounts]


def is_wanted(pod: Object) -> bool:
    """Tell whether a pod with this spec and status is to get other resources than it has."""
    status, spec = objects.status(pod), objects.spec(pod)
    stored = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    has = {each.get("name"): each["resources"] for each in stored if "resources" in each}
    return any(
        _sides(has[each["name"]], name) != _sides(each.get("resources") or {}, name)
        for each in objects.containers(spec)
        if each.get("name") in has
        for name in NAMES
    )


class Refusal(NamedTuple):
    """Why a change is not made: ``Infeasible`` for ever, or ``Deferred`` until there is room."""

    reason: str
    message: str


def refusal(state: PodState) -> Refusal | None:
    """Return why what is asked for is not given, None if it is."""
    asking = [container for container in state.all if changed(state, container)]
    for never in filter(None, (_infeasible(state, container) for container in asking)):
        return Refusal("Infeasible", never)
    if not asking or state.view.machine is None:
        return None
    there = room.beside(state.view.machine, state.view.neighbours)
    short = room.shortage(there, PodFacts(state.pod))
    return Refusal("Deferred", short.message) if short else None


def _infeasible(state: PodState, container: ContainerState) -> str:
    """Return why the node can never give what is asked for, "" if it might."""
    node = state.view.node
    have = {"cpu": node.cpus * 1000, "memory": node.memory_bytes}
    for name in NAMES:
        asked = ((container.spec.get("resources") or {}).get("requests") or {}).get(name)
        if asked is None or not have[name]:
            continue
        amount = quantity.millis(str(asked)) if name == "cpu" else quantity.whole(str(asked))
        if amount > have[name]:
            return f"Node didn't have enough capacity: {name}, requested: {amount}, capacity: {have[name]}"
    return ""


def needs_restart(container: ContainerState, names: list[str]) -> bool:
    """Tell whether the container asks to be restarted when one of these changes."""
    return any(
        each.get("resourceName") in names and each.get("restartPolicy") == "RestartContainer"
        for each in container.spec.get("resizePolicy") or ()
    )


def resize(state: PodState, draft: Draft, container: ContainerState, running: Container) -> None:
    """Add the change of the running container's limits."""
    draft.add(
        ResizeContainer(
            container=container.name,
            container_id=running.id,
            limits=resources.of(container.spec, state.spec),
            resources=container.spec.get("resources") or {},
            field_path=events.container_path(container.name, container.role),
        )
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
            draft.report(
                f"resize error/{generation}/{failure}", events.warning(state.pod, "ResizeError", message)
            )
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
    return next((found.message for key, found in state.view.failures.items() if key[0] == "resize"), "")


def _message(state: PodState, word: str, error: str = "") -> str:
    """Return a kubelet's sentence: what all containers ask for, as JSON in the order of its fields."""
    found: Object = {}
    for field in ("initContainers", "containers"):
        asked = [_asked(container) for container in state.spec.get(field) or ()]
        found |= {field: asked} if asked else {}
    found["generation"] = objects.generation(state.pod)
    found |= {"error": error} if error else {}
    return f"Pod resize {word}: {json.dumps(found, separators=(',', ':'))}"


def _asked(container: Object) -> Object:
    resources = container.get("resources") or {}
    kept = {
        side: dict(sorted(resources[side].items())) for side in ("limits", "requests") if resources.get(side)
    }
    return {"name": container.get("name"), "resources": kept}
