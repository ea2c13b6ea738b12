"""Finding the best node for pods that are alike, one after the other.

Pods of one controller usually are alike, so what was found out about the nodes for the first of them serves
the others: a pod that is placed changes one node, and only that one is looked at again.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter

from minikctl.plan.scheduler import filters, scores, spread
from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.exclusive import Exclusive
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.neighbours import Neighbours
from minikctl.plan.scheduler.summary import Room
from minikctl.plan.scheduler.verdict import Verdict

ENOUGH = 100
"""So many possible nodes are compared at least where each pod has to look at them anew."""
ZONE_SKEW = 5
"""The skew among zones from which on it counts, as in Kubernetes' default constraints."""


class Choice:
    """What is known of all nodes for one kind of pod; follows the draft."""

    def __init__(self, pod: PodFacts, draft: Draft) -> None:
        self._pod = pod
        self._draft = draft
        self._taste = scores.Taste(pod, draft.rooms.values())
        lasting = ((room, filters.lasting(pod, room, draft.storage)) for room in draft.rooms.values())
        self._barred = {room.name: verdict for room, verdict in lasting if verdict is not None}
        self._ranking = _Ranking()
        exclusive = Exclusive(pod, draft)
        social = pod.is_social or draft.is_social or bool(exclusive.claims)
        self._social = _Social(pod, draft, exclusive) if social else None
        self._next = 0
        for room in draft.rooms.values():
            self.reserved(room)
            self._ranking.siblings[room.zone] += self._taste.siblings(room)

    def moved(self, pod: PodFacts, room: Room, sign: int) -> None:
        """Take note of a pod that came or went."""
        if self._social is not None:
            self._social.moved(pod, room, sign)
        self.reserved(room)
        if pod.owner and pod.owner == self._pod.owner and self._taste.spreads:
            self._ranking.siblings[room.zone] += sign

    def reserved(self, room: Room) -> None:
        """Rank the node anew."""
        if room.name not in self._barred:
            fits = filters.passing(self._pod, room) is None
            self._ranking.put(room, self._taste.score(room) if fits else None)

    @property
    def fits_plan(self) -> bool:
        """Tell whether this still is the way to look at nodes: a pod that minds others may have come."""
        return self._social is not None or not self._draft.is_social

    def best(self) -> str | None:
        """Return the best node's name, None if none is possible."""
        if self._social is None:
            return self._ranking.best()
        found = self._possible(self._social)
        if not found:
            return None
        rates = self._social.scores(found)
        ranked = [
            (self._ranking.score(room.name) + rate, -len(room.pods), room.name)
            for room, rate in zip(found, rates, strict=True)
        ]
        return max(ranked)[2]

    def _possible(self, social: _Social) -> list[Room]:
        """Return possible nodes: of many only a part, each time beginning where the last search ended."""
        rooms, names = self._draft.rooms, self._ranking.names()
        wanted = max(ENOUGH, len(rooms) * max(5, 50 - len(rooms) // 125) // 100)
        found = []
        start = self._next % max(len(names), 1)
        for name in itertools.chain(names[start:], names[:start]):
            self._next += 1
            if social.verdict(rooms[name]) is None:
                found.append(rooms[name])
                if len(found) >= wanted:
                    break
        return found

    def verdict(self, room: Room, *, without: tuple[PodFacts, ...] = ()) -> Verdict | None:
        """Return why the pod cannot be there; ``without`` are pods left out of the room for a trial."""
        found = self._barred.get(room.name) or filters.passing(self._pod, room)
        if found is not None or self._social is None:
            return found
        return self._social.verdict(room, without)

    def verdicts(self) -> dict[str, Verdict]:
        """Return why each node is impossible."""
        found = {name: self.verdict(room) for name, room in self._draft.rooms.items()}
        return {name: verdict for name, verdict in found.items() if verdict is not None}


class _Social:
    """The part that depends on who is elsewhere."""

    def __init__(self, pod: PodFacts, draft: Draft, exclusive: Exclusive) -> None:
        self._exclusive = exclusive
        self._neighbours = Neighbours(pod, draft)
        self._hard = spread.Spread(pod, draft, spread.HARD)
        self._soft = spread.Spread(pod, draft, spread.SOFT)

    def moved(self, pod: PodFacts, room: Room, sign: int) -> None:
        self._exclusive.moved(pod, sign)
        for part in (self._neighbours, self._hard, self._soft):
            part.moved(pod, room, sign)

    def verdict(self, room: Room, without: tuple[PodFacts, ...] = ()) -> Verdict | None:
        for pod in without:
            self.moved(pod, room, -1)
        found = self._exclusive.verdict()
        if found is None and self._hard.constraints:
            found = self._hard.verdict(room)
        if found is None and self._neighbours.matter:
            found = self._neighbours.verdict(room)
        for pod in without:
            self.moved(pod, room, 1)
        return found

    def scores(self, rooms: list[Room]) -> list[int]:
        spreads = self._soft.scores(rooms) if self._soft.constraints else [0] * len(rooms)
        if self._neighbours.is_indifferent:
            return [scores.SPREAD * each for each in spreads]
        likings = [self._neighbours.liking(room) for room in rooms]
        least, most = min(likings), max(likings)
        shares = [100 * (each - least) // ((most - least) or 1) for each in likings]
        return [
            scores.SPREAD * each + scores.NEIGHBOURS * share
            for each, share in zip(spreads, shares, strict=True)
        ]


class _Ranking:
    """Nodes by score, for each zone; what was put in last counts."""

    def __init__(self) -> None:
        self._now: dict[str, tuple[int, int, str]] = {}
        self._zones: dict[str, list[tuple[int, int, str]]] = {}
        self.siblings: Counter[str] = Counter()
        """How many pods of the same controller are in each zone."""

    def put(self, room: Room, score: int | None) -> None:
        """Set a node's score, or take it out."""
        if score is None:
            self._now.pop(room.name, None)
            return
        entry = (-score, len(room.pods), room.name)
        self._now[room.name] = entry
        heapq.heappush(self._zones.setdefault(room.zone, []), entry)

    def names(self) -> list[str]:
        """Return all nodes that are in."""
        return list(self._now)

    def score(self, name: str) -> int:
        """Return the node's score."""
        return -self._now[name][0]

    def best(self) -> str | None:
        """Return the best node's name; among zones, those with fewer siblings are better."""
        tops = []
        for zone, heap in self._zones.items():
            while heap and self._now.get(heap[0][2]) != heap[0]:
                heapq.heappop(heap)
            if heap:
                tops.append((*heap[0], zone))
        if len(tops) < 2:
            return tops[0][2] if tops else None
        weight = math.log(len(tops) + 2)
        rates = spread.normalized([round(self.siblings[zone] * weight) + ZONE_SKEW - 1 for *_, zone in tops])
        ranked = [
            (score - scores.SPREAD * rate, pods, name)
            for (score, pods, name, _), rate in zip(tops, rates, strict=True)
        ]
        return min(ranked)[2]
