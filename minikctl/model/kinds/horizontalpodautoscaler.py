"""HorizontalPodAutoscaler: replicas by what the pods use; v1 is a view of v2."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from minikctl.model import autoscaling, cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import autoscaler

_SHOWN = 2
_FIELDS = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}


def _reference(obj: Object, _now: datetime) -> str:
    target = objects.spec(obj).get("scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _targets(obj: Object, _now: datetime) -> str:
    metrics = objects.spec(obj).get("metrics") or ()
    present = objects.status(obj).get("currentMetrics") or ()
    if not metrics:
        return cells.NONE
    shown = [
        _metric(metric, present[index] if index < len(present) else {})
        for index, metric in enumerate(metrics[:_SHOWN])
    ]
    more = f" + {len(metrics) - _SHOWN} more..." if len(metrics) > _SHOWN else ""
    return ", ".join(shown) + more


def _metric(metric: dict[str, Any], present: dict[str, Any]) -> str:
    field = _FIELDS.get(metric.get("type", ""))
    if field is None:
        return "<unknown type>"
    source = metric.get(field) or {}
    target, current = source.get("target") or {}, (present.get(field) or {}).get("current") or {}
    if field in ("resource", "containerResource"):
        return f"{source.get('name', '')}: {_usage(target, current)}"
    if target.get("averageValue") is not None:
        average = "" if field == "pods" else " (avg)"
        return f"{current.get('averageValue', '<unknown>')}/{target['averageValue']}{average}"
    return f"{current.get('value', '<unknown>')}/{target.get('value', '0')}"


def _usage(target: dict[str, Any], current: dict[str, Any]) -> str:
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', '<unknown>')}/{target['averageValue']}"
    used, wanted = current.get("averageUtilization"), target.get("averageUtilization")
    return f"{'<unknown>' if used is None else f'{used}%'}/{'<auto>' if wanted is None else f'{wanted}%'}"


_kind = functools.partial(
    Kind,
    "autoscaling",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    short_names=("hpa",),
    categories=("all",),
    subresources=frozenset({"status"}),
)
KIND = _kind(
    "v2",
    default=autoscaling.default,
    validate=autoscaler.validate,
    first_status={"desiredReplicas": 0},
    columns=(
        cells.NAME,
        Column("Reference", _reference),
        Column("Targets", _targets),
        Column("MinPods", cells.given("spec.minReplicas", "<unset>")),
        Column("MaxPods", cells.number("spec.maxReplicas")),
        Column("Replicas", cells.number("status.currentReplicas")),
        cells.AGE,
    ),
)
KIND_V1 = _kind(
    "v1", storage=("autoscaling", "v2"), to_storage=autoscaling.to_v2, from_storage=autoscaling.to_v1
)
