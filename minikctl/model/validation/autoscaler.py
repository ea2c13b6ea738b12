"""HorizontalPodAutoscaler, autoscaling/v2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import selection

Metric = dict[str, Any]

LONGEST_PERIOD = 1800
LONGEST_WINDOW = 3600
_SOURCES = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "External": "external",
}
_NO_SOURCE = "must populate information for the given metric source"
_POSITIVE = "must be greater than zero"


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a HorizontalPodAutoscaler."""
    spec = objects.spec(obj)
    found = [*_replicas(spec), *_reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")]
    for index, metric in enumerate(spec.get("metrics") or ()):
        found += _metric(metric, f"spec.metrics[{index}]")
    for direction in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(direction)
        if rules is not None:
            found += _rules(rules, f"spec.behavior.{direction}")
    return found


def _replicas(spec: dict[str, Any]) -> Iterator[Cause]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        yield causes.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield causes.invalid("spec.maxReplicas", most, "must be greater than 0")
    if least is not None and most < least:
        yield causes.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def _reference(reference: dict[str, Any], path: str) -> Iterator[Cause]:
    for field in ("kind", "name"):
        value = reference.get(field) or ""
        if not value:
            yield causes.required(f"{path}.{field}")
        for fault in names.path_segment(value):
            yield causes.invalid(f"{path}.{field}", value, fault)


def _metric(metric: Metric, path: str) -> Iterator[Cause]:
    kind = metric.get("type") or ""
    if not kind:
        yield causes.required(f"{path}.type", "must specify a metric source type")
    if kind not in _SOURCES:
        yield causes.unsupported(f"{path}.type", kind, _SOURCES)
    present = [field for field in _SOURCES.values() if metric.get(field) is not None]
    for field in present[:1]:
        yield from _source(field, metric[field], f"{path}.{field}")
    wanted = _SOURCES.get(kind)
    if wanted and metric.get(wanted) is None:
        yield causes.required(f"{path}.{wanted}", _NO_SOURCE)
    if len(present) != 1:
        for field in present:
            if field != wanted:
                yield causes.forbidden(f"{path}.{field}", "must populate the given metric source only")


def _source(field: str, source: Metric, path: str) -> Iterator[Cause]:
    target = source.get("target") or {}
    if field == "object":
        yield from _reference(source.get("describedObject") or {}, f"{path}.describedObject")
    if field in ("resource", "containerResource"):
        if not source.get("name"):
            yield causes.required(f"{path}.name", "must specify a resource name")
        if field == "containerResource" and not source.get("container"):
            yield causes.required(f"{path}.container", "must specify a container")
    else:
        yield from _identifier(source.get("metric") or {}, f"{path}.metric")
    yield from _target(target, f"{path}.target")
    yield from _one_target(field, target, f"{path}.target")


def _identifier(metric: Metric, path: str) -> Iterator[Cause]:
    name = metric.get("name") or ""
    if not name:
        yield causes.required(f"{path}.name", "must specify a metric name")
    for fault in names.path_segment(name):
        yield causes.invalid(f"{path}.name", name, fault)
    if metric.get("selector") is not None:
        yield from selection.validate(metric["selector"], f"{path}.selector")


def _target(target: Metric, path: str) -> Iterator[Cause]:
    kind = target.get("type") or ""
    if not kind:
        yield causes.required(f"{path}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        detail = "must be either Utilization, Value, or AverageValue"
        yield causes.invalid(f"{path}.type", kind, detail)
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        yield causes.invalid(f"{path}.averageUtilization", share, "must be greater than 0")
    for field in ("value", "averageValue"):
        if target.get(field) is not None and quantity.compare(target[field], 0) <= 0:
            yield causes.invalid(f"{path}.{field}", target[field], "must be positive")


def _one_target(field: str, target: Metric, path: str) -> Iterator[Cause]:
    value, average = target.get("value"), target.get("averageValue")
    share = target.get("averageUtilization")
    if field == "pods" and average is None:
        yield causes.required(f"{path}.averageValue", "must specify a positive target averageValue")
    if field == "object" and value is None and average is None:
        yield causes.required(f"{path}.averageValue", "must set either a target value or averageValue")
    if field == "external":
        if value is None and average is None:
            detail = "must set either a target value for metric or a per-pod target"
            yield causes.required(f"{path}.averageValue", detail)
        if value is not None and average is not None:
            detail = "may not set both a target value for metric and a per-pod target"
            yield causes.forbidden(f"{path}.value", detail)
    if field in ("resource", "containerResource"):
        if share is None and average is None:
            detail = "must set either a target raw value or a target utilization"
            yield causes.required(f"{path}.averageUtilization", detail)
        if share is not None and average is not None:
            detail = "may not set both a target raw value and a target utilization"
            yield causes.forbidden(f"{path}.averageValue", detail)


def _rules(rules: dict[str, Any], path: str) -> Iterator[Cause]:
    window = rules.get("stabilizationWindowSeconds")
    where = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        yield causes.invalid(where, window, "must be greater than or equal to zero")
    if window is not None and window > LONGEST_WINDOW:
        yield causes.invalid(where, window, f"must be less than or equal to {LONGEST_WINDOW}")
    choice = rules.get("selectPolicy")
    if choice not in (None, "Max", "Min", "Disabled"):
        yield causes.unsupported(f"{path}.selectPolicy", choice, ["Disabled", "Max", "Min"])
    if not rules.get("policies"):
        yield causes.required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.get("policies") or ()):
        yield from _policy(policy, f"{path}.policies[{index}]")


def _policy(policy: dict[str, Any], path: str) -> Iterator[Cause]:
    if policy.get("type") not in ("Pods", "Percent"):
        yield causes.unsupported(f"{path}.type", policy.get("type") or "", ["Percent", "Pods"])
    for field in ("value", "periodSeconds"):
        if (policy.get(field) or 0) <= 0:
            yield causes.invalid(f"{path}.{field}", policy.get(field) or 0, _POSITIVE)
    if (policy.get("periodSeconds") or 0) > LONGEST_PERIOD:
        detail = f"must be less than or equal to {LONGEST_PERIOD}"
        yield causes.invalid(f"{path}.periodSeconds", policy["periodSeconds"], detail)
