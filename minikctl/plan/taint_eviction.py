"""NoExecute taints: pods leave the node unless they tolerate them, or once they have done so long enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Delete, Patch, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import conditions
from minikctl.plan.scheduler import demands

COMPONENT = "taint-eviction-controller"


@dataclass(frozen=True)
class View:
    """A node, its pods, since when those that bear its taints for a time do so, and who may stay now."""

    object: Object
    pods: tuple[Object, ...] = ()
    since: Mapping[str, datetime] = field(default_factory=dict)
    """By uid. Other taints do not begin it anew, as long as the pod bears them for a time only."""
    spared: tuple[Object, ...] = ()


def no_execute(node: Object) -> list[Mapping[str, Any]]:
    """Return the node's taints that drive pods out."""
    return [each for each in objects.spec(node).get("taints") or () if each.get("effect") == "NoExecute"]


def bears_for_a_time(pod: Object, taints: list[Mapping[str, Any]]) -> bool:
    """Tell whether the pod is to leave for the taints, but not yet."""
    return not objects.is_deleting(pod) and bool(_stays(pod, taints))


def is_spared(pod: Object, taints: list[Mapping[str, Any]]) -> bool:
    """Tell whether the pod may stay for ever."""
    return not objects.is_deleting(pod) and _stays(pod, taints) is None


def desired(view: View, now: datetime) -> Plan:
    """Return the pods to delete now, ended ones too, and when the next one's time is up."""
    taints = no_execute(view.object)
    actions: list[ApiAction] = [_told(pod, "Cancelling deletion of") for pod in view.spared]
    waits: list[float] = []
    for pod in view.pods if taints else ():
        if objects.is_deleting(pod):
            continue
        stays = _stays(pod, taints)
        if stays is None:
            continue
        wait = 0.0
        if stays > 0:
            since = view.since.get(objects.uid(pod), now)
            wait = (since + timedelta(seconds=stays) - now).total_seconds()
        if wait > 0:
            waits.append(wait)
        else:
            actions += _eviction(pod, now)
    return Plan(tuple(actions), wake_in=min(waits, default=None))


def _stays(pod: Object, taints: list[Mapping[str, Any]]) -> float | None:
    """Return for how many seconds the pod bears the taints, by its shortest toleration; None is for ever."""
    shortest: float | None = None
    for taint in taints:
        matching = [
            each for each in objects.spec(pod).get("tolerations") or () if demands.tolerates(each, taint)
        ]
        if not matching:
            return 0.0
        for each in matching:
            seconds = each.get("tolerationSeconds")
            if seconds is not None:
                bears = max(float(seconds), 0.0)
                shortest = bears if shortest is None else min(shortest, bears)
    return shortest


def _eviction(pod: Object, now: datetime) -> list[ApiAction]:
    namespace, name = objects.key(pod)
    message = "Taint manager: deleting due to NoExecute taint"
    target = conditions.new("DisruptionTarget", "True", "DeletionByTaintManager", message, now)
    told = conditions.refreshed(objects.status(pod).get("conditions") or (), target)
    return [
        Patch(kinds.POD, namespace, name, {"status": {"conditions": told}}, "status"),
        Delete(kinds.POD, namespace, name, objects.uid(pod)),
        _told(pod, "Marking for deletion"),
    ]


def _told(pod: Object, what: str) -> RecordEvent:
    text = f"{what} Pod {'/'.join(objects.key(pod))}"
    return RecordEvent(pod, "Normal", "TaintManagerEviction", text, COMPONENT)
