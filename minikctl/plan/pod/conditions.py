"""The conditions of a pod: how far it is, with the moment of each change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.pod import resizing
from minikctl.plan.pod.state import PodState

Condition = dict[str, Any]
SCHEDULED = "PodScheduled"
OWN = (
    *("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"),
    *(resizing.PENDING, resizing.RUNNING, SCHEDULED),
)


def of(state: PodState, status: Mapping[str, Any], now: datetime) -> list[Condition]:
    """Return ours, with others' conditions kept as they are."""
    stored = {str(c.get("type")): c for c in objects.status(state.pod).get("conditions") or ()}
    containers_ready = _containers_ready(state, status)
    made = [
        _made("PodReadyToStartContainers", _network_ready(state, stored)),
        _initialized(state, status),
        _ready(state, containers_ready, stored),
        {**containers_ready, "type": "ContainersReady"},
        *resizing.conditions(state),
        # Who named the node himself is told the same as by a scheduler.
        _made(SCHEDULED, True),
    ]
    finished = [_dated(state, condition, stored.get(str(condition["type"])), now) for condition in made]
    others = {type_: condition for type_, condition in stored.items() if type_ not in OWN}
    return finished + list(others.values())


def _dated(state: PodState, condition: Condition, old: Object | None, now: datetime) -> Condition:
    same = old is not None and old.get("status") == condition["status"]
    since = old.get("lastTransitionTime") if old is not None and same else None
    found = {"lastTransitionTime": since or objects.timestamp(now), **condition}
    if objects.generation(state.pod):
        found["observedGeneration"] = objects.generation(state.pod)
    return found


def _made(type_: str, status: bool, reason: str = "", message: str = "") -> Condition:
    found: Condition = {"type": type_, "status": "True" if status else "False"}
    return found | {key: text for key, text in (("reason", reason), ("message", message)) if text}


def _network_ready(state: PodState, stored: Mapping[str, Object]) -> bool:
    """Tell whether the sandbox is up; one that was, and still runs, stays so while it is attached again."""
    if state.sandbox is None:
        return False
    if state.attached:
        return True
    before = stored.get("PodReadyToStartContainers") or {}
    return before.get("status") == "True" and objects.status(state.pod).get("podIP") == state.ip


def _names(entries: list[str]) -> str:
    return f"[{' '.join(entries)}]"


def _initialized(state: PodState, status: Mapping[str, Any]) -> Condition:
    if status["phase"] == "Succeeded":
        return _made("Initialized", True, "PodCompleted")
    ended = status["phase"] == "Failed"
    if state.initialized or ((ended or state.sandbox is None) and state.ever_initialized):
        return _made("Initialized", True)
    left = [init.name for init in state.init if not state.init_done(init)]
    if not left:
        return _made("Initialized", True)
    message = f"containers with incomplete status: {_names(left)}"
    return _made("Initialized", False, "ContainersNotInitialized", message)


def _containers_ready(state: PodState, status: Mapping[str, Any]) -> Condition:
    if status["phase"] in ("Succeeded", "Failed"):
        reason = "PodCompleted" if status["phase"] == "Succeeded" else "PodFailed"
        return _made("ContainersReady", False, reason)
    sidecars = {container.name for container in state.sidecars}
    entries = [e for e in status.get("initContainerStatuses") or () if e["name"] in sidecars]
    entries += status["containerStatuses"]
    unready = [str(entry["name"]) for entry in entries if not entry["ready"]]
    if not unready:
        return _made("ContainersReady", True)
    message = f"containers with unready status: {_names(unready)}"
    return _made("ContainersReady", False, "ContainersNotReady", message)


def _ready(state: PodState, containers: Condition, stored: Mapping[str, Object]) -> Condition:
    """Return Ready: the containers are, and every readiness gate is open."""
    if containers["status"] != "True":
        return {**containers, "type": "Ready"}
    closed: list[str] = []
    for gate in state.spec.get("readinessGates") or ():
        wanted = str(gate.get("conditionType") or "")
        found = stored.get(wanted)
        if found is None:
            closed.append(f'corresponding condition of pod readiness gate "{wanted}" does not exist.')
        elif found.get("status") != "True":
            text = f'the status of pod readiness gate "{wanted}" is not "True", but {found.get("status")}'
            closed.append(text)
    if closed:
        return _made("Ready", False, "ReadinessGatesNotReady", ", ".join(closed))
    return _made("Ready", True)
