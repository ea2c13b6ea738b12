"""Claims that one pod alone may use (ReadWriteOncePod): while another has one of them, no node is possible.

Kubernetes' plugin VolumeRestrictions judges so; preemption ends the other pod if it is less important.
"""

from __future__ import annotations

from minikctl.model import objects
from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.verdict import Verdict
from minikctl.plan.storage import parts, scheduling

IN_USE = Verdict(
    (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use "
        "by another pod",
    ),
    helped=True,
)


class Exclusive:
    """The claims of one kind of pod that nobody else may use, and how often others do."""

    def __init__(self, pod: PodFacts, draft: Draft) -> None:
        self._namespace = pod.namespace
        self.claims = frozenset(
            objects.name(claim) for claim in draft.storage.of(pod.pod) if scheduling.is_exclusive(claim)
        )
        self._uses = 0
        for other, _ in draft.placed() if self.claims else ():
            if not draft.is_kept(other):
                self.moved(other, 1)

    def moved(self, pod: PodFacts, sign: int) -> None:
        """Take note that a pod came (1) or went (-1), whichever its node is."""
        if self.claims and pod.namespace == self._namespace:
            named = {each.claim for each in parts.references(pod.pod)}
            self._uses += sign * len(named & self.claims)

    def verdict(self) -> Verdict | None:
        """Return why the pod cannot be anywhere."""
        return IN_USE if self._uses else None
