"""What the planner sees: a DaemonSet, the nodes, and which of its pods is on or meant for which node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.deployment import fences
from minikctl.plan.scheduler import demands

HASH = "controller-revision-hash"
COMPONENT = "daemonset-controller"
_TAINTS = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)
"""Troubles of nodes that a daemon sits out."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True)
class View:
    """A DaemonSet, all nodes, and the pods and revisions that it controls or selects.

    ``taken`` are all pod names of the namespace that begin like a child's; ``revisions`` also holds those of
    others whose names begin like its own.
    """

    object: Object
    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    revisions: tuple[Object, ...] = ()
    taken: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class DaemonSet:
    """The fields of a DaemonSet that decide what becomes of its pods; the last two are as in the manifest."""

    object: Object
    template: Object
    min_ready: int
    rolling: bool
    history_limit: int | None
    surge: Any
    unavailable: Any

    @classmethod
    def of(cls, obj: Object) -> DaemonSet:
        """Return what the object says, with the defaults for what it does not say."""
        spec = objects.spec(obj)
        strategy = spec.get("updateStrategy") or {}
        steps = strategy.get("rollingUpdate") or {}
        limit = spec.get("revisionHistoryLimit")
        return cls(
            object=obj,
            template=spec.get("template") or {},
            min_ready=int(spec.get("minReadySeconds") or 0),
            rolling=(strategy.get("type") or "RollingUpdate") == "RollingUpdate",
            history_limit=None if limit is None else int(limit),
            surge=steps.get("maxSurge") or 0,
            unavailable=steps.get("maxUnavailable", 1),
        )

    def fences(self, nodes: int) -> tuple[int, int]:
        """Return (surge, unavailable) in pods for so many nodes; they are never both 0."""
        surge = fences.scaled(self.surge, nodes, up=True) if self.rolling else 0
        unavailable = fences.scaled(self.unavailable, nodes, up=True)
        return (0, 1) if surge == 0 and unavailable == 0 else (surge, unavailable)

    def available(self, pod: Object | None, now: datetime) -> bool:
        """Tell whether the pod is available."""
        return pod is not None and readiness.available_in(pod, self.min_ready, now) == 0.0

    def runs_on(self, node: Object) -> tuple[bool, bool]:
        """Return whether a pod is to be started on the node, and whether one that is there may stay."""
        pod = {"spec": pod_spec(self.template, objects.name(node))}
        named = objects.spec(self.template).get("nodeName")
        if (named and named != objects.name(node)) or not demands.matches_node(pod, node):
            return False, False
        unwanted = demands.untolerated(pod, objects.spec(node).get("taints") or ())
        return not unwanted, all(taint["effect"] != "NoExecute" for taint in unwanted)


def pod_spec(template: Object, node: str) -> dict[str, Any]:
    """Return the template's spec, bound to the node and tolerating what daemons have to."""
    spec: dict[str, Any] = dict(objects.spec(template))
    given = spec.get("affinity") or {}
    on_node = given.get("nodeAffinity") or {}
    field_term = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = (on_node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    bound = [{**term, "matchFields": [*(term.get("matchFields") or ()), field_term]} for term in terms]
    spec["affinity"] = {**given, "nodeAffinity": {**on_node, _REQUIRED: {"nodeSelectorTerms": bound}}}
    taints = [*_TAINTS, *([("network-unavailable", "NoSchedule")] if spec.get("hostNetwork") else ())]
    made = [{"key": f"node.kubernetes.io/{k}", "operator": "Exists", "effect": e} for k, e in taints]
    own = [each for each in spec.get("tolerations") or () if each not in made]
    spec["tolerations"] = [*own, *made]
    return spec


def node_of(pod: Object) -> str:
    """Return the node that the pod is on or meant for, "" if it is a stranger without one."""
    spec = objects.spec(pod)
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for each in term.get("matchFields") or ():
            if each.get("key") == "metadata.name" and len(each.get("values") or ()) == 1:
                return str(each["values"][0])
    return ""


def by_node(pods: Iterable[Object]) -> Mapping[str, list[Object]]:
    """Return the pods of each node, the longest there first.

    Finished ones on their way out do not count, nor do those that are meant for no node yet.
    """
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for pod in sorted(pods, key=_seniority):
        node = node_of(pod)
        if node and not (objects.is_deleting(pod) and readiness.is_finished(pod)):
            found[node].append(pod)
    return found


def _seniority(pod: Object) -> tuple[bool, str, str]:
    created = str(objects.meta(pod).get("creationTimestamp") or "")
    return not objects.spec(pod).get("nodeName"), created, objects.name(pod)


def is_new(pod: Object, suffix: str) -> bool:
    """Tell whether the pod was made from the template with that hash."""
    return objects.labels(pod).get(HASH) == suffix
