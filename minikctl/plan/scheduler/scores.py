"""Which of the possible nodes is best, as far as the node alone tells; Kubernetes' default weights."""

from __future__ import annotations

from collections.abc import Iterable

from minikctl.model import objects
from minikctl.plan.scheduler import demands
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room

TAINTS, AFFINITY, SPREAD, NEIGHBOURS = 3, 2, 2, 2
"""Weights; fit and balance have one each."""
SIBLING = 10
"""What each pod of the same controller on a node takes off its score, unless the pod says how to spread."""


class Taste:
    """How one pod ranks nodes."""

    def __init__(self, pod: PodFacts, rooms: Iterable[Room]) -> None:
        self._pod = pod
        self.spreads = bool(pod.owner) and not objects.spec(pod.pod).get("topologySpreadConstraints")
        given = objects.spec(pod.pod).get("affinity") or {}
        self._picky = bool(
            (given.get("nodeAffinity") or {}).get("preferredDuringSchedulingIgnoredDuringExecution")
        )
        known = list(rooms)
        self._fixed = self._lasting(known)

    def _lasting(self, rooms: list[Room]) -> dict[str, int]:
        """Return the part of the score that no other pod changes."""
        pod = self._pod.pod
        liked = {room.name: demands.preference(pod, room.node) if self._picky else 0 for room in rooms}
        avoided = {
            room.name: len(demands.untolerated(pod, room.taints, demands.SOFT)) if room.taints else 0
            for room in rooms
        }
        best, worst = max(liked.values(), default=0) or 1, max(avoided.values(), default=0) or 1
        return {
            name: AFFINITY * 100 * liked[name] // best + TAINTS * 100 * (worst - avoided[name]) // worst
            for name in liked
        }

    def score(self, room: Room) -> int:
        """Return how good the node would be with the pod on it."""
        shares = [
            min((used + asked) / have, 1.0)
            for used, asked, have in (
                (room.likely[0], self._pod.likely[0], room.have.get("cpu", 0)),
                (room.likely[1], self._pod.likely[1], room.have.get("memory", 0)),
            )
            if have
        ]
        fit = 100 * (1 - sum(shares) / len(shares)) if shares else 0
        balance = 100 * (1 - abs(shares[0] - shares[1]) / 2) if len(shares) == 2 else 100
        return self._fixed.get(room.name, 0) + int(fit + balance) - SPREAD * SIBLING * self.siblings(room)

    def siblings(self, room: Room) -> int:
        """Return how many pods on the node are to be kept apart from."""
        return room.owners[self._pod.owner] if self.spreads else 0
