"""Pod: containers that share one network namespace."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects, podstatus
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import pod, resizing


def _gates(obj: Object, _now: datetime) -> str:
    gates = objects.spec(obj).get("readinessGates") or ()
    if not gates:
        return cells.NONE
    met = [objects.condition(obj, each.get("conditionType", "")) or {} for each in gates]
    return f"{sum(each.get('status') == 'True' for each in met)}/{len(gates)}"


KIND = Kind(
    "",
    "v1",
    "Pod",
    "pods",
    short_names=("po",),
    categories=("all",),
    subresources=frozenset(
        {"status", "resize", "log", "exec", "attach", "portforward", "ephemeralcontainers"}
    ),
    has_generation=True,
    default=pod.default,
    validate=pod.validate,
    parts={"resize": resizing.validate, "ephemeralcontainers": pod.ephemeral},
    selectable=cells.selectable(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
        flags=["spec.hostNetwork"],
    ),
    columns=(
        cells.NAME,
        Column("Ready", lambda obj, _now: podstatus.ready(obj)),
        Column("Status", lambda obj, _now: podstatus.reason(obj)),
        Column("Restarts", podstatus.restarts),
        cells.AGE,
        Column("IP", cells.text("status.podIP", cells.NONE), priority=1),
        Column("Node", cells.text("spec.nodeName", cells.NONE), priority=1),
        Column("Nominated Node", cells.text("status.nominatedNodeName", cells.NONE), priority=1),
        Column("Readiness Gates", _gates, priority=1),
    ),
)
