"""HorizontalPodAutoscaler between autoscaling/v1 and v2, and its defaults.

v1 has one field for the CPU target; everything else of v2 travels in annotations, as JSON.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

CPU_TARGET = 80
"""Percent of its request that a pod should use when nothing is said."""

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"

_STABILIZATION = {"scaleUp": 0}
_POLICIES: dict[str, list[dict[str, Any]]] = {
    "scaleUp": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
    "scaleDown": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


def default(obj: Object) -> None:
    """Complete a v2 HorizontalPodAutoscaler in place: a CPU target, and the rules that are half said."""
    spec = objects.spec(obj)
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        spec["metrics"] = [_cpu(CPU_TARGET)]
    behavior = spec.get("behavior")
    if behavior is None:
        return
    for direction, policies in _POLICIES.items():
        rules = behavior.setdefault(direction, {})
        rules.setdefault("selectPolicy", "Max")
        rules.setdefault("policies", copy.deepcopy(policies))
        if direction in _STABILIZATION:
            rules.setdefault("stabilizationWindowSeconds", _STABILIZATION[direction])


def _cpu(percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def to_v2(obj: Object) -> Object:
    """Return a v1 HorizontalPodAutoscaler as v2; annotations that cannot be read are dropped."""
    spec, status = dict(objects.spec(obj)), dict(objects.status(obj))
    meta = copy.deepcopy(dict(objects.meta(obj)))
    kept: dict[str, str] = meta.get("annotations") or {}
    metrics = _read(kept.pop(_METRICS, None), list) or []
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        metrics = [_cpu(percent), *metrics]
    if metrics:
        spec["metrics"] = metrics
    if behavior := _read(kept.pop(_BEHAVIOR, None), dict):
        spec["behavior"] = behavior
    current = _read(kept.pop(_CURRENT, None), list) or []
    used = status.pop("currentCPUUtilizationPercentage", None)
    if used is not None:
        cpu = {"name": "cpu", "current": {"averageUtilization": used}}
        current = [{"type": "Resource", "resource": cpu}, *current]
    if current:
        status["currentMetrics"] = current
    if conditions := _read(kept.pop(_CONDITIONS, None), list):
        status["conditions"] = conditions
    return _with(obj, "autoscaling/v2", meta, spec, status)


def _read(text: str | None, wanted: type) -> Any:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, wanted) else None


def to_v1(obj: Object) -> Object:
    """Return a v2 HorizontalPodAutoscaler as v1."""
    spec, status = dict(objects.spec(obj)), dict(objects.status(obj))
    meta = copy.deepcopy(dict(objects.meta(obj)))
    notes: dict[str, Any] = {}
    metrics, percent = _without_cpu(spec.pop("metrics", None) or [], "target")
    if percent is not None:
        spec["targetCPUUtilizationPercentage"] = percent
    notes[_METRICS] = metrics
    notes[_BEHAVIOR] = spec.pop("behavior", None)
    current, used = _without_cpu(status.pop("currentMetrics", None) or [], "current")
    if used is not None:
        status["currentCPUUtilizationPercentage"] = used
    notes[_CURRENT] = current
    notes[_CONDITIONS] = status.pop("conditions", None)
    told = {key: json.dumps(value, separators=(",", ":")) for key, value in notes.items() if value}
    if told:
        meta["annotations"] = {**(meta.get("annotations") or {}), **told}
    return _with(obj, "autoscaling/v1", meta, spec, status)


def _without_cpu(metrics: list[dict[str, Any]], field: str) -> tuple[list[dict[str, Any]], int | None]:
    """Return the metrics without the one that v1 has a field for, and what is in it."""
    for index, metric in enumerate(metrics):
        resource = metric.get("resource") or {}
        percent = (resource.get(field) or {}).get("averageUtilization")
        if metric.get("type") == "Resource" and resource.get("name") == "cpu" and percent is not None:
            return [*metrics[:index], *metrics[index + 1 :]], int(percent)
    return metrics, None


def _with(
    obj: Object, api_version: str, meta: dict[str, Any], spec: dict[str, Any], status: dict[str, Any]
) -> Object:
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    made: Object = {**obj, "apiVersion": api_version, "metadata": meta, "spec": spec}
    if api_version == "autoscaling/v1" and status:
        status = {"currentReplicas": 0, "desiredReplicas": 0, **status}
    if "status" in obj or status:
        made["status"] = status
    return made
