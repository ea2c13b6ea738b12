"""PodMetrics and NodeMetrics: what is used now; answered from measurements, never stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import cells, quantity
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object

GROUP, VERSION = "metrics.k8s.io", "v1beta1"


def _pod_use(resource: str) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> str:
        used = ((each.get("usage") or {}).get(resource) or "0" for each in obj.get("containers") or ())
        total = sum(map(quantity.parse, used))
        return shown(resource, float(total))

    return cell


def _node_use(resource: str) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> str:
        return str((obj.get("usage") or {}).get(resource) or "0")

    return cell


def shown(resource: str, amount: float) -> str:
    """Return an amount as metrics are told: CPU in billionths, memory in KiB."""
    return f"{round(amount * 1e9)}n" if resource == "cpu" else f"{int(amount) // 1024}Ki"


_READ_ONLY: dict[str, Any] = {"verbs": ("get", "list")}
POD = Kind(
    GROUP,
    VERSION,
    "PodMetrics",
    "pods",
    columns=(cells.NAME, Column("cpu", _pod_use("cpu")), Column("memory", _pod_use("memory"))),
    **_READ_ONLY,
)
NODE = Kind(
    GROUP,
    VERSION,
    "NodeMetrics",
    "nodes",
    namespaced=False,
    columns=(cells.NAME, Column("cpu", _node_use("cpu")), Column("memory", _node_use("memory"))),
    **_READ_ONLY,
)
