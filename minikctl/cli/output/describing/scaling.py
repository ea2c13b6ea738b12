"""HorizontalPodAutoscalers."""

from __future__ import annotations

from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

UNKNOWN = "<unknown>"


def autoscaler(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write a HorizontalPodAutoscaler, in the words of autoscaling/v2 whatever version was asked for."""
    if str(obj.get("apiVersion")) != "autoscaling/v2":
        place = "horizontalpodautoscalers.v2.autoscaling"
        obj = reader.one(place, objects.namespace(obj), objects.name(obj)) or obj
    spec, status = objects.spec(obj), objects.status(obj)
    target = spec.get("scaleTargetRef") or {}
    common.head(sheet, obj)
    sheet.row(0, "CreationTimestamp:", common.moment(objects.meta(obj).get("creationTimestamp")))
    sheet.row(0, "Reference:", f"{target.get('kind')}/{target.get('name')}")
    sheet.row(0, "Metrics:", "( current / target )")
    current = status.get("currentMetrics") or []
    for number, metric in enumerate(spec.get("metrics") or ()):
        _metric(sheet, metric, current[number] if number < len(current) else {})
    sheet.row(0, "Min replicas:", spec.get("minReplicas", "<unset>"))
    sheet.row(0, "Max replicas:", spec.get("maxReplicas", 0))
    behaviour = spec.get("behavior")
    if behaviour:
        sheet.row(0, "Behavior:")
        _direction(sheet, "Scale Up", behaviour.get("scaleUp"))
        _direction(sheet, "Scale Down", behaviour.get("scaleDown"))
    counts = f"{status.get('currentReplicas', 0)} current / {status.get('desiredReplicas', 0)} desired"
    sheet.row(0, f"{target.get('kind')} pods:", counts)
    if status.get("conditions"):
        sheet.row(0, "Conditions:")
        sheet.row(1, "Type", "Status", "Reason", "Message")
        sheet.row(1, "----", "------", "------", "-------")
        for entry in status["conditions"]:
            sheet.row(1, *(entry.get(field, "") for field in ("type", "status", "reason", "message")))
    common.events(sheet, obj, reader)


def _metric(sheet: Sheet, metric: Object, current: Object) -> None:
    kind = str(metric.get("type"))
    field = kind[:1].lower() + kind[1:]
    source = metric.get(field)
    if source is None:
        sheet.row(1, f'<unknown metric type "{kind}">')
        return
    now, target = (current.get(field) or {}).get("current"), source.get("target") or {}
    if field in ("resource", "containerResource"):
        _resource(sheet, source, now, target)
        return
    name = f'"{(source.get("metric") or {}).get("name", "")}"'
    average = "averageValue" in target if field == "external" else target.get("type") == "AverageValue"
    if field == "pods":
        name, average = f"{name} on pods", True
    elif field == "object":
        described = source.get("describedObject") or {}
        name = f"{name} on {described.get('kind')}/{described.get('name')}"
    title = name if field == "pods" else f"{name} (target {'average ' if average else ''}value)"
    key = "averageValue" if average else "value"
    sheet.row(1, f"{title}:", f"{(now or {}).get(key, UNKNOWN)} / {target.get(key, '<nil>')}")


def _resource(sheet: Sheet, source: Object, now: Object | None, target: Object) -> None:
    of = f' of container "{source["container"]}"' if source.get("container") else ""
    title = f"resource {source.get('name')}{of} on pods"
    if target.get("averageValue") is not None:
        sheet.row(1, f"{title}:", f"{(now or {}).get('averageValue', UNKNOWN)} / {target['averageValue']}")
        return
    used = (now or {}).get("averageUtilization")
    shown = UNKNOWN if used is None else f"{used}% ({(now or {}).get('averageValue')})"
    wanted = target.get("averageUtilization")
    aim = "<auto>" if wanted is None else f"{wanted}%"
    sheet.row(1, f"{title}  (as a percentage of request):", f"{shown} / {aim}")


def _direction(sheet: Sheet, title: str, rules: Object | None) -> None:
    if rules is None:
        return
    sheet.row(1, f"{title}:")
    if rules.get("stabilizationWindowSeconds") is not None:
        sheet.row(2, f"Stabilization Window: {rules['stabilizationWindowSeconds']} seconds")
    if rules.get("policies"):
        sheet.row(2, f"Select Policy: {rules.get('selectPolicy') or 'Max'}")
        sheet.row(2, "Policies:")
        for policy in rules["policies"]:
            cells = (f"- Type: {policy['type']}", f"Value: {policy['value']}")
            sheet.row(3, *cells, f"Period: {policy['periodSeconds']} seconds")
