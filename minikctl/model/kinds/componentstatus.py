"""ComponentStatus: how the parts of the control plane are; answered, never stored."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object

COMPONENTS = ("controller-manager", "etcd-0", "scheduler")


def healthy(name: str) -> Object:
    """Return the status of a part that works: all are one process, so whoever gets an answer knows it."""
    condition = {"type": "Healthy", "status": "True", "message": "ok"}
    return {
        "kind": "ComponentStatus",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "conditions": [condition],
    }


def _condition(field: str) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> str:
        for each in obj.get("conditions") or ():
            if each.get("type") == "Healthy":
                return str(each.get(field) or "")
        return ""

    return cell


def _status(obj: Object, now: datetime) -> str:
    return {"True": "Healthy", "": "Unknown"}.get(_condition("status")(obj, now), "Unhealthy")


KIND = Kind(
    "",
    "v1",
    "ComponentStatus",
    "componentstatuses",
    namespaced=False,
    short_names=("cs",),
    verbs=("get", "list"),
    deprecation="v1 ComponentStatus is deprecated in v1.19+",
    columns=(
        cells.NAME,
        Column("Status", _status),
        Column("Message", _condition("message")),
        Column("Error", _condition("error")),
    ),
)
