"""Node: where pods run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import node

_ROLE = "node-role.kubernetes.io/"
_UNKNOWN = "<unknown>"


def _status(obj: Object, _now: datetime) -> str:
    ready = (objects.condition(obj, "Ready") or {}).get("status")
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if objects.spec(obj).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Object, _now: datetime) -> str:
    labels = objects.labels(obj)
    found = {label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE)}
    found.add(labels.get("kubernetes.io/role", ""))
    return cells.joined(sorted(found - {""}))


def _address(wanted: str) -> Callable[[Object, datetime], str]:
    def cell(obj: Object, _now: datetime) -> str:
        for each in objects.status(obj).get("addresses") or ():
            if each.get("type") == wanted:
                return str(each.get("address"))
        return cells.NONE

    return cell


def _info(name: str) -> Callable[[Object, datetime], str]:
    return cells.text(f"status.nodeInfo.{name}", _UNKNOWN)


KIND = Kind(
    "",
    "v1",
    "Node",
    "nodes",
    namespaced=False,
    short_names=("no",),
    subresources=frozenset({"status"}),
    validate=node.validate,
    selectable=cells.selectable(flags=["spec.unschedulable"]),
    columns=(
        cells.NAME,
        Column("Status", _status),
        Column("Roles", _roles),
        cells.AGE,
        Column("Version", cells.text("status.nodeInfo.kubeletVersion")),
        Column("Internal-IP", _address("InternalIP"), priority=1),
        Column("External-IP", _address("ExternalIP"), priority=1),
        Column("OS-Image", _info("osImage"), priority=1),
        Column("Kernel-Version", _info("kernelVersion"), priority=1),
        Column("Container-Runtime", _info("containerRuntimeVersion"), priority=1),
    ),
)
