"""What scheduling needs to know of one pod, read off it once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.objects import Object
from minikctl.plan.scheduler import requests
from minikctl.plan.scheduler.requests import Amounts, Port
from minikctl.plan.storage import parts as storage

HARD = "requiredDuringSchedulingIgnoredDuringExecution"
SOFT = "preferredDuringSchedulingIgnoredDuringExecution"
_SINGULAR = ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")
"""Labels that each pod of a controller has its own value of; no two pods would be alike with them."""


@dataclass(frozen=True)
class Term:
    """A pod affinity term: which pods it means, and which label tells of nodes that they are near."""

    key: str
    selector: selectors.Selector
    namespaces: frozenset[str]
    namespace_selector: selectors.Selector | None
    weight: int = 0
    """Of preferences; negative for anti-affinity."""

    def selects(self, other: PodFacts, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
        """Tell whether the term means that pod; ``namespaces`` are the labels of each."""
        if other.namespace not in self.namespaces and (
            self.namespace_selector is None
            or not self.namespace_selector.matches(namespaces.get(other.namespace, {}))
        ):
            return False
        return self.selector.matches(other.labels)


class PodFacts:
    """A pod as the scheduler sees it; equal in meaning for ever, as the object that it was read from."""

    def __init__(self, pod: Object) -> None:
        spec = objects.spec(pod)
        self.pod = pod
        self.uid = objects.uid(pod)
        self.namespace = objects.namespace(pod)
        self.labels = objects.labels(pod)
        self.node = str(spec.get("nodeName") or "")
        self.priority = int(spec.get("priority") or 0)
        self.requests: Amounts = requests.of_pod(pod)
        likely = requests.of_pod(pod, requests.LEAST)
        self.likely = (likely.get("cpu", 0), likely.get("memory", 0))
        self.ports: frozenset[Port] = requests.host_ports(pod)
        self.owner = str((objects.controller_of(pod) or {}).get("uid") or "")
        affinity = spec.get("affinity") or {}
        self.affinity = self._terms((affinity.get("podAffinity") or {}).get(HARD))
        self.anti_affinity = self._terms((affinity.get("podAntiAffinity") or {}).get(HARD))
        self.wishes = (
            *self._wishes((affinity.get("podAffinity") or {}).get(SOFT), 1),
            *self._wishes((affinity.get("podAntiAffinity") or {}).get(SOFT), -1),
        )

    @property
    def has_terms(self) -> bool:
        """Tell whether the pod minds its neighbours."""
        return bool(self.affinity or self.anti_affinity or self.wishes)

    @property
    def is_social(self) -> bool:
        """Tell whether where the pod may go depends on more than the node itself."""
        return self.has_terms or bool(objects.spec(self.pod).get("topologySpreadConstraints"))

    @cached_property
    def signature(self) -> str:
        """Return a text that is the same for pods that are alike to the scheduler."""
        spec = objects.spec(self.pod)
        labels = sorted(item for item in self.labels.items() if item[0] not in _SINGULAR)
        names = ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "preemptionPolicy")
        parts = [spec.get(name) for name in names]
        parts += [storage.references(self.pod)]
        return repr(
            (self.namespace, labels, self.priority, self.owner, self.requests, self.likely, self.ports, parts)
        )

    def _terms(self, given: list[dict[str, Any]] | None) -> tuple[Term, ...]:
        return tuple(self._term(each, 0) for each in given or ())

    def _wishes(self, given: list[dict[str, Any]] | None, sign: int) -> tuple[Term, ...]:
        return tuple(
            self._term(each.get("podAffinityTerm") or {}, sign * int(each.get("weight") or 0))
            for each in given or ()
        )

    def _term(self, term: Mapping[str, Any], weight: int) -> Term:
        listed = frozenset(term.get("namespaces") or ())
        by_label = term.get("namespaceSelector")
        return Term(
            str(term.get("topologyKey") or ""),
            merged(term, self.labels),
            listed or (frozenset() if by_label is not None else frozenset({self.namespace})),
            None if by_label is None else selectors.of(by_label),
            weight,
        )


def merged(term: Mapping[str, Any], labels: Mapping[str, str]) -> selectors.Selector:
    """Return the term's selector with what its (mis)matchLabelKeys add from the pod's own labels."""
    found = selectors.of(term.get("labelSelector"))
    if found.nothing:
        return found
    same = [
        selectors.Requirement(key, "In", (labels[key],))
        for key in term.get("matchLabelKeys") or ()
        if key in labels
    ]
    other = [
        selectors.Requirement(key, "NotIn", (labels[key],))
        for key in term.get("mismatchLabelKeys") or ()
        if key in labels
    ]
    return selectors.Selector((*found.requirements, *same, *other))
