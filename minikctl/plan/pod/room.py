"""What a node has left for a pod beside those that it has taken, as a kubelet counts."""

from __future__ import annotations

from typing import NamedTuple

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room


class Shortage(NamedTuple):
    """A resource that the node has too little of, and a kubelet's sentence."""

    resource: str
    message: str


def beside(node: Object, neighbours: tuple[Object, ...]) -> Room:
    """Return the node with these pods on it: each takes what it has been given, not what it would like."""
    found = Room(node)
    for other in neighbours:
        if not readiness.is_finished(other):
            found.add(PodFacts(_as_allocated(other)))
    return found


def shortage(room: Room, pod: PodFacts) -> Shortage | None:
    """Return which resource the node has too little of; one that it knows nothing of is no matter."""
    wanted = [("pods", 1, len(room.pods))]
    wanted += [(name, amount, room.used.get(name, 0)) for name, amount in pod.requests.items()]
    for name, amount, used in wanted:
        have = room.have.get(name)
        if amount and have is not None and amount > have - used:
            text = f"Node didn't have enough resource: {name}, requested: {amount}"
            return Shortage(name, f"{text}, used: {used}, capacity: {have}")
    return None


def _as_allocated(pod: Object) -> Object:
    given = {
        each.get("name"): each["allocatedResources"]
        for each in objects.status(pod).get("containerStatuses") or ()
        if each.get("allocatedResources")
    }
    containers = [
        {**each, "resources": {**(each.get("resources") or {}), "requests": given[each["name"]]}}
        if each.get("name") in given
        else each
        for each in objects.spec(pod).get("containers") or ()
    ]
    return {**pod, "spec": {**objects.spec(pod), "containers": containers}}
