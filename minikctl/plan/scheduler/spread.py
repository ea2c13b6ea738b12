"""Topology spread: how unevenly a pod's like may be spread over zones, nodes and other places."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects, selectors
from minikctl.plan.scheduler import demands, facts
from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Room
from minikctl.plan.scheduler.verdict import Verdict

UNEVEN = Verdict(("node(s) didn't match pod topology spread constraints",), helped=True)
UNLABELLED = Verdict(
    ("node(s) didn't match pod topology spread constraints (missing required label)",), helped=False
)
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"


@dataclass(frozen=True)
class Constraint:
    """One topologySpreadConstraint of a pod."""

    key: str
    max_skew: int
    min_domains: int
    selector: selectors.Selector
    meets_itself: bool
    honors_affinity: bool
    honors_taints: bool


def constraints(pod: PodFacts, action: str) -> tuple[Constraint, ...]:
    """Return the pod's constraints of that ``whenUnsatisfiable``."""
    given = objects.spec(pod.pod).get("topologySpreadConstraints") or ()
    return tuple(
        _constraint(each, pod) for each in given if (each.get("whenUnsatisfiable") or HARD) == action
    )


def _constraint(each: Mapping[str, Any], pod: PodFacts) -> Constraint:
    selector = facts.merged(each, pod.labels)
    return Constraint(
        key=str(each.get("topologyKey") or ""),
        max_skew=int(each.get("maxSkew") or 1),
        min_domains=int(each.get("minDomains") or 1),
        selector=selector,
        meets_itself=selector.matches(pod.labels),
        honors_affinity=(each.get("nodeAffinityPolicy") or "Honor") == "Honor",
        honors_taints=(each.get("nodeTaintsPolicy") or "Ignore") == "Honor",
    )


class Spread:
    """The pods that count for each of a pod's constraints of one kind, by place."""

    def __init__(self, pod: PodFacts, draft: Draft, action: str) -> None:
        self._pod = pod
        self.constraints = constraints(pod, action)
        self._counts: list[dict[str, int]] = [{} for _ in self.constraints]
        self._least: list[int | None] = [None for _ in self.constraints]
        self._counting: dict[str, tuple[bool, ...]] = {}
        for room in draft.rooms.values() if self.constraints else ():
            for counts, constraint, counted in zip(
                self._counts, self.constraints, self._counted(room), strict=True
            ):
                if counted:
                    counts.setdefault(room.labels[constraint.key], 0)
            for other in room.pods.values():
                self.moved(other, room, 1)

    def _counted(self, room: Room) -> tuple[bool, ...]:
        """Return for each constraint whether pods on the node count."""
        found = self._counting.get(room.name)
        if found is None:
            found = tuple(self._counts_for(constraint, room) for constraint in self.constraints)
            self._counting[room.name] = found
        return found

    def _counts_for(self, constraint: Constraint, room: Room) -> bool:
        if any(each.key not in room.labels for each in self.constraints):
            return False
        if constraint.honors_affinity and not demands.matches_node(self._pod.pod, room.node):
            return False
        return not (constraint.honors_taints and demands.untolerated(self._pod.pod, room.taints))

    def moved(self, other: PodFacts, room: Room, sign: int) -> None:
        """Count a pod that came onto the node (1) or left it (-1)."""
        if not self.constraints or other.namespace != self._pod.namespace or objects.is_deleting(other.pod):
            return
        for index, counted in enumerate(self._counted(room)):
            constraint = self.constraints[index]
            if counted and constraint.selector.matches(other.labels):
                place = room.labels[constraint.key]
                self._counts[index][place] = self._counts[index].get(place, 0) + sign
                self._least[index] = None

    def verdict(self, room: Room) -> Verdict | None:
        """Return why one more pod there would be uneven, None if it would not."""
        for index, constraint in enumerate(self.constraints):
            place = room.labels.get(constraint.key)
            if place is None:
                return UNLABELLED
            there = self._counts[index].get(place, 0) + constraint.meets_itself
            if there - self._fewest(index, constraint) > constraint.max_skew:
                return UNEVEN
        return None

    def _fewest(self, index: int, constraint: Constraint) -> int:
        """Return the count of the emptiest place; with fewer places than wanted, there is an empty one."""
        least = self._least[index]
        if least is None:
            counts = self._counts[index]
            enough = len(counts) >= constraint.min_domains
            least = self._least[index] = min(counts.values(), default=0) if enough else 0
        return least

    def scores(self, rooms: Sequence[Room]) -> list[int]:
        """Return 0 to 100 for each of the possible nodes: the fewer of its like, the better."""
        ranked = [all(each.key in room.labels for each in self.constraints) for room in rooms]
        chosen = [room for room, ok in zip(rooms, ranked, strict=True) if ok]
        weights = [math.log(len({room.labels[each.key] for room in chosen}) + 2) for each in self.constraints]
        return normalized(
            [self._cost(room, weights) if ok else None for room, ok in zip(rooms, ranked, strict=True)]
        )

    def _cost(self, room: Room, weights: Sequence[float]) -> int:
        costs = (
            counts.get(room.labels[constraint.key], 0) * weight + constraint.max_skew - 1
            for counts, constraint, weight in zip(self._counts, self.constraints, weights, strict=True)
        )
        return round(sum(costs))


def normalized(costs: Sequence[int | None]) -> list[int]:
    """Return 0 to 100 for each cost, the lowest being the best; None is 0."""
    known = [cost for cost in costs if cost is not None]
    least, most = min(known, default=0), max(known, default=0)
    if not most:
        return [0 if cost is None else 100 for cost in costs]
    return [0 if cost is None else 100 * (most + least - cost) // most for cost in costs]
