"""Scheduling: each pod that waits gets a node that fits, or is told why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Patch, Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan import affinity, conditions, readiness, requests

NAME = "default-scheduler"
RETRY_SECONDS = 300.0
"""Whatever changed unnoticed: pods that found no node are looked at again after this time."""
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True)
class View:
    """All nodes and all pods that are not finished."""

    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    object: Object = field(default_factory=dict)


class _Room:
    """A node with the pods that are on it, also those that this plan puts there."""

    def __init__(self, node: Object, pods: list[Object]) -> None:
        self.node = node
        self.pods = pods
        self.free = dict(requests.allocatable(node))
        self.ports: set[tuple[str, str, int]] = set()
        for pod in pods:
            self._take(pod)

    def place(self, pod: Object) -> None:
        self.pods.append(pod)
        self._take(pod)

    def _take(self, pod: Object) -> None:
        self.free["pods"] = self.free.get("pods", Fraction(0)) - 1
        for name, amount in requests.of_pod(pod).items():
            self.free[name] = self.free.get(name, Fraction(0)) - amount
        self.ports |= requests.host_ports(pod)


def desired(view: View, now: datetime) -> Plan:
    """Return a binding for each waiting pod that fits, and what to tell the others."""
    waiting = sorted((pod for pod in view.pods if _waits(pod)), key=_order)
    rooms = [
        _Room(node, [pod for pod in view.pods if objects.spec(pod).get("nodeName") == objects.name(node)])
        for node in sorted(view.nodes, key=objects.name)
        if not objects.is_deleting(node)
    ]
    actions: list[ApiAction] = []
    stuck = False
    for pod in waiting:
        if objects.spec(pod).get("schedulingGates"):
            message = "Scheduling is blocked due to non-empty scheduling gates"
            actions += _held(pod, "SchedulingGated", message, now)
            continue
        room, refusals = _choose(pod, rooms)
        if room is None:
            actions += _unschedulable(pod, len(rooms), refusals, now)
            stuck = True
        else:
            room.place(pod)
            actions += _binding(pod, objects.name(room.node), now)
    return Plan(tuple(actions), wake_in=RETRY_SECONDS if stuck else None)


def _waits(pod: Object) -> bool:
    spec = objects.spec(pod)
    ours = (spec.get("schedulerName") or NAME) == NAME
    return ours and not spec.get("nodeName") and readiness.is_active(pod)


def _order(pod: Object) -> tuple[int, str, str, str]:
    created = str(objects.meta(pod).get("creationTimestamp") or "")
    return -int(objects.spec(pod).get("priority") or 0), created, *objects.key(pod)


def _choose(pod: Object, rooms: list[_Room]) -> tuple[_Room | None, Counter[str]]:
    refusals: Counter[str] = Counter()
    placed = [(other, room.node) for room in rooms for other in room.pods]
    fitting = []
    for room in rooms:
        found = _refusals(pod, room, placed)
        refusals.update(found)
        if not found:
            fitting.append(room)
    return max(fitting, key=_freedom, default=None), refusals


def _freedom(room: _Room) -> tuple[Fraction, Fraction]:
    """Return what is left of a node, so that the emptiest one is taken."""
    have = requests.allocatable(room.node)
    shares = [room.free[name] / have[name] for name in ("cpu", "memory") if have.get(name)]
    return sum(shares, Fraction(0)), room.free.get("pods", Fraction(0))


def _refusals(pod: Object, room: _Room, placed: list[tuple[Object, Object]]) -> list[str]:
    """Return why the pod cannot run on the node; the first kind of reason hides the later ones."""
    cordoned = {"spec": {"taints": [_UNSCHEDULABLE]}}
    if objects.spec(room.node).get("unschedulable") and affinity.untolerated(pod, cordoned):
        return ["node(s) were unschedulable"]
    taint = affinity.untolerated(pod, room.node)
    if taint is not None:
        return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"]
    if not affinity.matches_node(pod, room.node):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if requests.ports_clash(requests.host_ports(pod), room.ports):
        return ["node(s) didn't have free ports for the requested pod ports"]
    short = _short(requests.of_pod(pod), room.free)
    if short:
        return short
    if affinity.misses_neighbours(pod, room.node, placed):
        return ["node(s) didn't match pod affinity rules"]
    if affinity.has_unwanted_neighbours(pod, room.node, placed):
        return ["node(s) didn't match pod anti-affinity rules"]
    return []


def _short(wanted: Mapping[str, Fraction], free: Mapping[str, Fraction]) -> list[str]:
    found = ["Too many pods"] if free.get("pods", Fraction(0)) < 1 else []
    for name, amount in sorted(wanted.items()):
        if amount > 0 and amount > free.get(name, Fraction(0)):
            found.append(f"Insufficient {name}")
    return found


def _binding(pod: Object, node: str, now: datetime) -> list[ApiAction]:
    namespace, name = objects.key(pod)
    scheduled = conditions.carried(
        objects.condition(pod, "PodScheduled"),
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": objects.timestamp(now)},
    )
    others = conditions.without(objects.status(pod).get("conditions") or (), "PodScheduled")
    body = {"spec": {"nodeName": node}, "status": {"conditions": [*others, scheduled]}}
    text = f"Successfully assigned {namespace}/{name} to {node}"
    return [
        Patch(kinds.POD, namespace, name, body, "binding"),
        RecordEvent(pod, "Normal", "Scheduled", text, NAME),
    ]


def _unschedulable(pod: Object, nodes: int, refusals: Counter[str], now: datetime) -> list[ApiAction]:
    if nodes == 0:
        message = "no nodes available to schedule pods"
    else:
        reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in refusals.items()))
        message = f"0/{nodes} nodes are available: {reasons}."
    found = _held(pod, "Unschedulable", message, now)
    if found:
        found.append(RecordEvent(pod, "Warning", "FailedScheduling", message, NAME))
    return found


def _held(pod: Object, reason: str, message: str, now: datetime) -> list[ApiAction]:
    """Return the write of the PodScheduled condition, none if it says so already."""
    status = objects.status(pod)
    present = list(status.get("conditions") or ())
    wanted: dict[str, Any] = conditions.new("PodScheduled", "False", reason, message, now)
    found = conditions.refreshed(present, wanted)
    if found == present:
        return []
    return [Update(kinds.POD, {**pod, "status": {**status, "conditions": found}}, "status")]
