"""The planner of DaemonSets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import ApiAction, Create, Delete, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import children, claims, history, readiness, templates
from minikctl.plan.daemonset import parts, placing, rollout
from minikctl.plan.daemonset.parts import COMPONENT, DaemonSet, View
from minikctl.plan.daemonset.placing import Changes
from minikctl.plan.history import History

BURST = 250
"""So many pods at most are created or deleted by one plan."""


def desired(view: View, now: datetime) -> Plan:
    """Return the next step: adoption, the revision of the present template, placing, then the rollout."""
    if objects.is_deleting(view.object):
        return Plan()
    selector = selectors.of(objects.spec(view.object).get("selector"))
    found = claims.claim(view.object, selector, view.pods, kinds.POD)
    kept = claims.claim(view.object, selector, view.revisions, kinds.CONTROLLER_REVISION)
    adoption = (*found.actions, *(each for each in kept.actions if claims.is_adoption(each, view.object)))
    if adoption:
        return Plan(adoption)
    past = history.of(view.object, view.revisions, parts.HASH)
    if past.collisions != int(objects.status(view.object).get("collisionCount") or 0):
        return Plan((), {**objects.status(view.object), "collisionCount": past.collisions})
    if past.actions:
        return Plan(past.actions)
    return _placed(view, DaemonSet.of(view.object), past, found.owned, now)


def _placed(view: View, owner: DaemonSet, past: History, pods: tuple[Object, ...], now: datetime) -> Plan:
    suffix = objects.labels(past.wanted).get(parts.HASH, "")
    nodes = {objects.name(node): node for node in view.nodes if not objects.is_deleting(node)}
    here = parts.by_node(pods)
    found = placing.changes(owner, nodes, here, suffix, now)
    if owner.rolling and not found.nodes and not found.pods:
        wake_in, found = found.wake_in, rollout.changes(owner, nodes, here, suffix, now)
        found.wake_in = wake_in
    actions = tuple(_actions(view, owner, found, suffix))
    if not actions:
        live = {objects.labels(pod).get(parts.HASH) for pod in pods}
        spared = [
            objects.name(each) for each in past.revisions if objects.labels(each).get(parts.HASH) in live
        ]
        actions = history.surplus(past, [*spared, objects.name(past.wanted)], owner.history_limit)
    for pod in pods:
        if wait := readiness.available_in(pod, owner.min_ready, now):
            found.wake(wait)
    return Plan(actions, status(owner, nodes, here, past, now), found.wake_in)


def failed(view: View, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG001 - of all planners
    """Return what tells the user that an action of the plan was refused."""
    match action:
        case Create() if action.kind is kinds.POD:
            reason, text = "FailedCreate", f"Error creating: {message}"
        case Delete() if action.kind is kinds.POD:
            reason, text = "FailedDelete", f"Error deleting: {message}"
        case _:
            return Plan()
    return Plan((RecordEvent(view.object, "Warning", reason, text, COMPONENT),))


def _actions(view: View, owner: DaemonSet, found: Changes, suffix: str) -> Iterator[ApiAction]:
    yield from found.events
    seed = [objects.uid(view.object), objects.resource_version(view.object), *map(objects.uid, view.pods)]
    prefix = children.prefix_of(view.object)
    free = children.child_names(prefix, sorted(seed), view.taken)
    for node, name in zip(found.nodes[:BURST], free, strict=False):
        metadata = {"name": name, "generateName": prefix, "labels": {parts.HASH: suffix}}
        shape = {**owner.template, "spec": parts.pod_spec(owner.template, node)}
        yield Create(kinds.POD, templates.pod(view.object, shape, metadata))
        yield RecordEvent(view.object, "Normal", "SuccessfulCreate", f"Created pod: {name}", COMPONENT)
    for pod in found.pods[:BURST]:
        namespace, name = objects.key(pod)
        yield Delete(kinds.POD, namespace, name, objects.uid(pod))
        yield RecordEvent(view.object, "Normal", "SuccessfulDelete", f"Deleted pod: {name}", COMPONENT)


def status(
    owner: DaemonSet,
    nodes: Mapping[str, Object],
    pods: Mapping[str, list[Object]],
    past: History,
    now: datetime,
) -> dict[str, Any]:
    """Return the status: how many nodes are to have a pod, have one, and have one that serves."""
    suffix = objects.labels(past.wanted).get(parts.HASH, "")
    wanted = [name for name, node in nodes.items() if owner.runs_on(node)[0]]
    first = [pods[name][0] for name in wanted if pods.get(name)]
    available = sum(owner.available(pod, now) for pod in first)
    counts = {
        "updatedNumberScheduled": sum(parts.is_new(pod, suffix) for pod in first),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
        "collisionCount": past.collisions,
    }
    return {
        **{name: value for name, value in objects.status(owner.object).items() if name == "conditions"},
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(bool(pods.get(name)) for name in nodes if name not in wanted),
        "desiredNumberScheduled": len(wanted),
        "numberReady": sum(map(readiness.is_ready, first)),
        "observedGeneration": objects.generation(owner.object),
        **{name: count for name, count in counts.items() if count},
    }
