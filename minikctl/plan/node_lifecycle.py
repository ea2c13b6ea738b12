"""What the cluster makes of nodes: taints that follow their condition, and what is done when one is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Patch, Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan import conditions, readiness
from minikctl.plan.node import KUBELET

COMPONENT = "node-controller"
GRACE_SECONDS = 50.0
"""A node that has not been heard of for so long is taken to be lost."""
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_MAINTAINED = (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURES.values())
_REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True)
class View:
    """A node, its Lease, the pods on it, since when nodes are watched, and whether none at all is ready.

    ``is_own``: this very process speaks for the node, so its silence would only say how busy it is.
    """

    object: Object
    lease: Object | None
    pods: tuple[Object, ...]
    watched_since: datetime
    all_down: bool = False
    is_own: bool = False


def desired(view: View, now: datetime) -> Plan:
    """Return the node's taints and, when nothing is heard of it, its conditions and those of its pods."""
    actions: list[ApiAction] = []
    silent_in = None if view.is_own else _silent_in(view, now)
    if silent_in == 0 and not _is_unknown(view.object):
        return Plan((_lost(view.object, now),))
    if _is_unknown(view.object):
        actions += _unready_pods(view, now)
    actions += _taints(view, now)
    return Plan(tuple(actions), wake_in=silent_in or None)


def _ready(node: Object) -> str:
    """Return the status of the Ready condition, "" if nothing was ever reported."""
    return str((objects.condition(node, "Ready") or {}).get("status") or "")


def _is_unknown(node: Object) -> bool:
    return _ready(node) == "Unknown"


def _silent_in(view: View, now: datetime) -> float:
    """Return in how many seconds the node is given up if nothing is heard of it, 0 if it is to be now."""
    lease = objects.spec(view.lease or {})
    heard = objects.parse_time(lease.get("renewTime"))
    created = objects.parse_time(objects.meta(view.object).get("creationTimestamp"))
    latest = max(moment for moment in (heard, created, view.watched_since) if moment is not None)
    grace = max(GRACE_SECONDS, float(lease.get("leaseDurationSeconds") or 0) * 1.25)
    return max(0.0, (latest + timedelta(seconds=grace) - now).total_seconds())


def _lost(node: Object, now: datetime) -> ApiAction:
    """Return the node with nothing known of it any more."""
    found = list(objects.status(node).get("conditions") or ())
    for kind in _REPORTED:
        before = conditions.find(found, kind) or {}
        text = "Kubelet stopped posting node status." if before else "Kubelet never posted node status."
        reason = "NodeStatusUnknown" if before else "NodeStatusNeverUpdated"
        unknown = conditions.new(kind, "Unknown", reason, text, now)
        beat = before.get("lastHeartbeatTime") or objects.meta(node).get("creationTimestamp")
        found = conditions.refreshed(found, {**unknown, "lastHeartbeatTime": beat})
    return Update(kinds.NODE, {**node, "status": {**objects.status(node), "conditions": found}}, "status")


def _unready_pods(view: View, now: datetime) -> list[ApiAction]:
    """Have the pods of a lost node count as not ready, so that no Service sends anything there."""
    found: list[ApiAction] = []
    for pod in view.pods:
        if not readiness.is_ready(pod):
            continue
        present = objects.status(pod).get("conditions") or ()
        unready = {**(conditions.find(present, "Ready") or {}), "status": "False"}
        unready["lastTransitionTime"] = objects.timestamp(now)
        status = {**objects.status(pod), "conditions": conditions.refreshed(present, unready)}
        found.append(Update(kinds.POD, {**pod, "status": status}, "status"))
        found.append(RecordEvent(pod, "Warning", "NodeNotReady", "Node is not ready", COMPONENT))
    return found


def _taints(view: View, now: datetime) -> list[ApiAction]:
    """Return the write of the taints that follow from the node's spec and conditions, if they differ."""
    spec = objects.spec(view.object)
    present = [dict(each) for each in spec.get("taints") or ()]
    kept = [each for each in present if each.get("key") not in _MAINTAINED]
    known = {_identity(each): each for each in present}
    wanted = [*kept, *(known.get(_identity(each), each) for each in _following(view, now))]
    if sorted(map(_identity, wanted)) == sorted(map(_identity, present)):
        return []
    name, version = objects.name(view.object), objects.resource_version(view.object)
    body = {"metadata": {"resourceVersion": version}, "spec": {"taints": wanted or None}}
    keys = [{str(each.get("key")) for each in some} for some in (present, wanted)]
    return [Patch(kinds.NODE, "", name, body), *_events(view.object, *keys)]


def _events(node: Object, before: set[str], after: set[str]) -> Iterator[RecordEvent]:
    """Yield what is told when these taints come or go, in the words of kubelet and node controller."""

    def told(reason: str, component: str) -> RecordEvent:
        text = f"Node {objects.name(node)} status is now: {reason}"
        return RecordEvent(node, "Normal", reason, text, component)

    lost = {NOT_READY, UNREACHABLE}
    if after & lost and not before & lost and _was_ready(node):
        yield told("NodeNotReady", COMPONENT)
    if UNSCHEDULABLE in after - before:
        yield told("NodeNotSchedulable", KUBELET)
    if UNSCHEDULABLE in before - after:
        yield told("NodeSchedulable", KUBELET)


def _was_ready(node: Object) -> bool:
    """Tell whether a node that is not ready was ready before: one that is new never was."""
    since = objects.parse_time((objects.condition(node, "Ready") or {}).get("lastTransitionTime"))
    created = objects.parse_time(objects.meta(node).get("creationTimestamp"))
    return since is None or created is None or since > created


def _following(view: View, now: datetime) -> list[dict[str, Any]]:
    """Return the taints that the node is to have by what it is.

    Pods are driven out only while some other node is ready: when all are down, the fault is elsewhere.
    Nodes of our own have one engine: what keeps one from being ready keeps all, if a moment later.
    """
    node, stamp = view.object, objects.timestamp(now)
    found: list[dict[str, Any]] = []
    if objects.spec(node).get("unschedulable"):
        found.append({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": stamp})
    for kind, key in _PRESSURES.items():
        if (objects.condition(node, kind) or {}).get("status") == "True":
            found.append({"key": key, "effect": "NoSchedule", "timeAdded": stamp})
    ready = _ready(node)
    if ready in ("False", "Unknown"):
        key = UNREACHABLE if ready == "Unknown" else NOT_READY
        found.append({"key": key, "effect": "NoSchedule", "timeAdded": stamp})
        if not view.all_down and not view.is_own:
            found.append({"key": key, "effect": "NoExecute", "timeAdded": stamp})
    return found


def _identity(taint: dict[str, Any]) -> tuple[str, str, str]:
    return str(taint.get("key")), str(taint.get("value") or ""), str(taint.get("effect"))
