"""What a node has left for a pod beside those that it has taken, as a kubelet counts."""

from __future__ import annotations

from typing import NamedTuple

from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.scheduler import requests
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
            found.add(PodFacts(requests.as_granted(other)))
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
