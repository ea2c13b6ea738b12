"""ReplicaSet, and its forerunner ReplicationController: as many active pods as it asks for."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import ApiAction, Create, Delete, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import children, claims, conditions, readiness, templates

COMPONENTS = {"ReplicaSet": "replicaset-controller", "ReplicationController": "replication-controller"}
BURST = 500
"""So many pods at most are created or deleted by one plan."""
COST = "controller.kubernetes.io/pod-deletion-cost"
FAILURE = "ReplicaFailure"
_PHASES = {"Pending": 0, "": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True)
class View:
    """A ReplicaSet or ReplicationController, and the pods that it controls or that its selector matches.

    ``taken`` are all pod names of the namespace that begin like a child's.  ``related`` are the pods of
    ReplicaSets that have the same controller: those of one Deployment share the nodes.
    """

    object: Object
    pods: tuple[Object, ...] = ()
    taken: frozenset[str] = frozenset()
    related: tuple[Object, ...] = ()


def selector(owner: Object) -> selectors.Selector:
    """Return what selects the owner's pods: a ReplicationController has a map instead of a selector."""
    found = objects.spec(owner).get("selector")
    return selectors.of_map(found) if _is_old(owner) else selectors.of(found)


def _is_old(owner: Object) -> bool:
    return owner.get("kind") == "ReplicationController"


def _event(owner: Object, type_: str, reason: str, message: str) -> RecordEvent:
    return RecordEvent(owner, type_, reason, message, COMPONENTS[owner["kind"]])


def desired(view: View, now: datetime) -> Plan:
    """Return the pods to create or delete, and the status as counted before that."""
    owner = view.object
    candidates = [pod for pod in view.pods if readiness.is_active(pod)]
    found = claims.claim(owner, selector(owner), candidates, kinds.POD)
    if found.actions:
        return Plan(found.actions)
    actions: tuple[ApiAction, ...] = ()
    if not objects.is_deleting(owner):
        actions = _manage(view, found.owned, now)
    waits = _waits(owner, found.owned, now)
    status = _status(view, found.owned, waits)
    kept = conditions.without(status.get("conditions") or (), FAILURE)
    wake_in = min((wait for wait in waits if wait), default=None)
    return Plan(actions, _with_conditions(status, kept), wake_in)


def failed(view: View, action: object, message: str, now: datetime) -> Plan:
    """Return what tells the user that an action of the plan was refused."""
    if not isinstance(action, Create | Delete):
        return Plan()
    reason, text = (
        ("FailedCreate", "Error creating: ")
        if isinstance(action, Create)
        else ("FailedDelete", "Error deleting: ")
    )
    event = _event(view.object, "Warning", reason, f"{text}{message}")
    active = [pod for pod in view.pods if readiness.is_active(pod) and claims.is_owned(pod, view.object)]
    status = _status(view, active, _waits(view.object, active, now))
    failure = conditions.new(FAILURE, "True", reason, message, now)
    return Plan((event,), _with_conditions(status, conditions.put(status.get("conditions") or (), failure)))


def _manage(view: View, active: tuple[Object, ...], now: datetime) -> tuple[ApiAction, ...]:
    missing = _wanted(view.object) - len(active)
    if missing > 0:
        return _creations(view, min(missing, BURST))
    if missing < 0:
        return _deletions(view, active, min(-missing, BURST), now)
    return ()


def _wanted(owner: Object) -> int:
    replicas = objects.spec(owner).get("replicas")
    return 1 if replicas is None else int(replicas)


def _min_ready(owner: Object) -> int:
    return int(objects.spec(owner).get("minReadySeconds") or 0)


def _creations(view: View, count: int) -> tuple[ApiAction, ...]:
    owner = view.object
    # The seed changes with every change that the ReplicaSet has seen, so that a replaced pod gets a new name.
    seed = [objects.uid(owner), objects.resource_version(owner), *sorted(map(objects.uid, view.pods))]
    prefix, template = children.prefix_of(owner), objects.spec(owner).get("template") or {}
    found = children.child_names(prefix, seed, view.taken)
    actions: list[ApiAction] = []
    for name in itertools.islice(found, count):
        actions.append(
            Create(kinds.POD, templates.pod(owner, template, {"name": name, "generateName": prefix}))
        )
        actions.append(_event(owner, "Normal", "SuccessfulCreate", f"Created pod: {name}"))
    return tuple(actions)


def _deletions(view: View, active: tuple[Object, ...], count: int, now: datetime) -> tuple[ApiAction, ...]:
    owner = view.object
    actions: list[ApiAction] = []
    related = [pod for pod in view.related if readiness.is_active(pod)]
    for pod in ranked(active, now, related)[:count]:
        namespace, name = objects.key(pod)
        actions.append(Delete(kinds.POD, namespace, name, objects.uid(pod)))
        actions.append(_event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}"))
    return tuple(actions)


def ranked(pods: Sequence[Object], now: datetime, related: Sequence[Object] = ()) -> list[Object]:
    """Return the pods in the order in which they can best be spared.

    Unscheduled, pending, not ready, cheap, crowded on a node, newly ready, restarted often, young.
    """
    crowd = Counter(objects.spec(pod).get("nodeName") for pod in related or pods)
    return sorted(pods, key=lambda pod: _rank(pod, crowd, now))


def _rank(pod: Object, crowd: Counter[Any], now: datetime) -> tuple[Any, ...]:
    node = objects.spec(pod).get("nodeName")
    return (
        bool(node),
        _PHASES.get(readiness.phase(pod), 2),
        readiness.is_ready(pod),
        _cost(pod),
        -crowd[node] if node else 0,
        _age(readiness.ready_since(pod), now),
        -readiness.restarts(pod),
        _age(objects.parse_time(objects.meta(pod).get("creationTimestamp")), now),
        objects.uid(pod),
    )


def _cost(pod: Object) -> int:
    try:
        return int(objects.annotations(pod).get(COST) or 0)
    except ValueError:
        return 0


def _age(since: datetime | None, now: datetime) -> int:
    """Return the age in powers of two: among pods of about the same age, chance spreads the loss."""
    seconds = (now - (since or datetime.min.replace(tzinfo=UTC))).total_seconds()
    return -1 if seconds <= 0 else int(math.log2(seconds * 1e9))


def _waits(owner: Object, active: Sequence[Object], now: datetime) -> list[float | None]:
    """Return for each ready pod in how many seconds it will be available, None if it does not tell."""
    ready, seconds = filter(readiness.is_ready, active), _min_ready(owner)
    return [readiness.available_in(pod, seconds, now) if seconds else 0.0 for pod in ready]


def _status(view: View, active: Sequence[Object], waits: Sequence[float | None]) -> dict[str, Any]:
    owner = view.object
    template = (objects.spec(owner).get("template") or {}).get("metadata") or {}
    labels = selectors.of_map(template.get("labels"))
    counted = () if _is_old(owner) else view.pods
    terminating = [pod for pod in counted if readiness.is_terminating(pod) and claims.is_owned(pod, owner)]
    counts = {
        "fullyLabeledReplicas": sum(labels.matches(objects.labels(pod)) for pod in active),
        "readyReplicas": len(waits),
        "availableReplicas": waits.count(0.0),
        "terminatingReplicas": len(terminating),
        "observedGeneration": objects.generation(owner),
    }
    current = list(objects.status(owner).get("conditions") or ())
    status = {"replicas": len(active), **{name: count for name, count in counts.items() if count}}
    return _with_conditions(status, current)


def _with_conditions(status: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    rest = {name: value for name, value in status.items() if name != "conditions"}
    return {**rest, "conditions": found} if found else rest
