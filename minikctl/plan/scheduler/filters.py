"""Which nodes are possible for a pod, in Kubernetes' order and words."""

from __future__ import annotations

from minikctl.plan.scheduler import demands, requests
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room
from minikctl.plan.scheduler.verdict import Verdict
from minikctl.plan.storage import scheduling

CORDONED = Verdict(("node(s) were unschedulable",), helped=False)
TAINTED = Verdict(("node(s) had untolerated taint(s)",), helped=False)
UNSUITABLE = Verdict(("node(s) didn't match Pod's node affinity/selector",), helped=False)
NO_PORT = Verdict(("node(s) didn't have free ports for the requested pod ports",), helped=True)


def lasting(pod: PodFacts, room: Room, storage: scheduling.Storage) -> Verdict | None:
    """Return what is wrong with the node whoever is on it."""
    unwanted = demands.untolerated(pod.pod, room.taints)
    if room.is_cordoned and any(each["key"] == "node.kubernetes.io/unschedulable" for each in unwanted):
        return CORDONED
    if unwanted:
        return TAINTED
    if not demands.matches_node(pod.pod, room.node):
        return UNSUITABLE
    unreachable = scheduling.refusal(pod.pod, room.node, storage)
    return Verdict((unreachable,), helped=False) if unreachable else None


def passing(pod: PodFacts, room: Room) -> Verdict | None:
    """Return what is wrong with the node because of what is on it: ports and resources."""
    if pod.ports and requests.ports_clash(pod.ports, room.ports):
        return NO_PORT
    short = ["Too many pods"] if len(room.pods) + 1 > room.have.get("pods", 0) else []
    helped = True
    for name, amount in pod.requests.items():
        have = room.have.get(name, 0)
        if amount and amount > have - room.used.get(name, 0):
            short.append(f"Insufficient {name}")
            helped = helped and amount <= have
    return Verdict(tuple(short), helped) if short else None
