"""Who a pod must, must not, would and would not like to be near: counted once, then followed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.facts import PodFacts, Term
from minikctl.plan.scheduler.summary import Room
from minikctl.plan.scheduler.verdict import Verdict

Places = Counter[tuple[str, str]]
"""How many pods count, by (node label, value)."""
RESENTED = Verdict(("node(s) didn't satisfy existing pods anti-affinity rules",), helped=True)
LONELY = Verdict(("node(s) didn't match pod affinity rules",), helped=False)
CROWDED = Verdict(("node(s) didn't match pod anti-affinity rules",), helped=True)


class Neighbours:
    """What the pods that have a node mean for one that waits."""

    def __init__(self, pod: PodFacts, draft: Draft) -> None:
        self._pod = pod
        self._namespaces = draft.namespaces
        self._friends: Places = Counter()
        self._foes: Places = Counter()
        self._resenting: Places = Counter()
        self._liking: Places = Counter()
        self._resented_keys: set[str] = set()
        self._first = all(term.selects(pod, draft.namespaces) for term in pod.affinity)
        for other, room in draft.placed(minding=not pod.has_terms):
            self.moved(other, room, 1)

    def moved(self, other: PodFacts, room: Room, sign: int) -> None:
        """Count a pod that came onto the node (1) or left it (-1)."""
        pod, spaces = self._pod, self._namespaces
        if not pod.has_terms and not other.has_terms:
            return
        if pod.affinity and all(term.selects(other, spaces) for term in pod.affinity):
            _count(self._friends, pod.affinity, room, sign)
        if pod.anti_affinity:
            _count(self._foes, _selecting(pod.anti_affinity, other, spaces), room, sign)
        if other.anti_affinity:
            terms = _selecting(other.anti_affinity, pod, spaces)
            self._resented_keys.update(term.key for term in terms)
            _count(self._resenting, terms, room, sign)
        for term in _selecting(pod.wishes, other, spaces):
            _count(self._liking, (term,), room, sign * term.weight)
        for term in _selecting(other.wishes, pod, spaces):
            _count(self._liking, (term,), room, sign * term.weight)
        # Who insists on this pod's company has a say as well, with the smallest weight.
        _count(self._liking, _selecting(other.affinity, pod, spaces), room, sign)

    @property
    def matter(self) -> bool:
        """Tell whether there is anything that could forbid a node."""
        return bool(self._resented_keys or self._pod.affinity or self._pod.anti_affinity)

    def verdict(self, room: Room) -> Verdict | None:
        """Return why the pod cannot be there, None if it can."""
        labels = room.labels
        if any(self._resenting[key, labels.get(key, "")] > 0 for key in self._resented_keys):
            return RESENTED
        if not all(self._has_friend(term, labels) for term in self._pod.affinity):
            return LONELY
        if any(
            self._foes[term.key, labels[term.key]] > 0
            for term in self._pod.anti_affinity
            if term.key in labels
        ):
            return CROWDED
        return None

    def _has_friend(self, term: Term, labels: Mapping[str, str]) -> bool:
        """Tell whether the term is met; a pod that means itself may be the first of its kind."""
        if term.key not in labels:
            return False
        if self._friends[term.key, labels[term.key]] > 0:
            return True
        return self._first and not any(count > 0 for count in self._friends.values())

    def liking(self, room: Room) -> int:
        """Return how welcome and at home the pod is there; only comparisons mean anything."""
        labels = room.labels
        return sum(self._liking[key, labels[key]] for key in {key for key, _ in self._liking} & labels.keys())

    @property
    def is_indifferent(self) -> bool:
        """Tell whether no preference tells nodes apart."""
        return not self._liking


def _selecting(
    terms: tuple[Term, ...], other: PodFacts, spaces: Mapping[str, Mapping[str, str]]
) -> list[Term]:
    return [term for term in terms if term.selects(other, spaces)]


def _count(places: Places, terms: Iterable[Term], room: Room, by: int) -> None:
    for term in terms:
        value = room.labels.get(term.key)
        if value is not None:
            places[term.key, value] += by
