"""How many replicas the pods' use of CPU and memory calls for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.autoscaling.view import View
from minikctl.plan.usage import Sample

CPU_INITIALIZATION = timedelta(minutes=5)
READINESS_DELAY = timedelta(seconds=30)
TOLERANCE = 0.1


class MetricError(Exception):
    """A metric that says nothing; ``reason`` is the condition's, the text Kubernetes'."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Proposal:
    """So many replicas, by that metric, whose present value goes into the status."""

    replicas: int
    name: str
    current: dict[str, Any]


@dataclass
class _Pods:
    """The pods that count, by what is known of them; amounts are thousandths."""

    used: dict[str, int] = field(default_factory=dict)
    unready: list[Object] = field(default_factory=list)
    missing: list[Object] = field(default_factory=list)
    latest: datetime | None = None


def propose(view: View, metric: Mapping[str, Any], now: datetime) -> Proposal:
    """Return what one metric calls for; MetricError if it says nothing."""
    kind = str(metric.get("type"))
    if kind == "Resource":
        return _resource(view, metric["resource"], "", now)
    if kind == "ContainerResource":
        source = metric["containerResource"]
        return _resource(view, source, str(source.get("container")), now)
    field_name = {"Pods": "pods", "Object": "object", "External": "external"}.get(kind, "")
    name = ((metric.get(field_name) or {}).get("metric") or {}).get("name", "")
    api = "external" if kind == "External" else "custom"
    reason = {"Pods": "FailedGetPodsMetric", "Object": "FailedGetObjectMetric"}.get(
        kind, "FailedGetExternalMetric"
    )
    raise MetricError(
        reason,
        f"unable to get metric {name}: unable to fetch metrics from {api} metrics API: "
        f"no {api} metrics API ({api}.metrics.k8s.io) registered",
    )


def _resource(view: View, source: Mapping[str, Any], container: str, now: datetime) -> Proposal:
    name, target = str(source.get("name")), source.get("target") or {}
    where = f"{name} container" if container else name
    reason = "FailedGetContainerResourceMetric" if container else "FailedGetResourceMetric"
    try:
        if target.get("averageValue") is not None:
            return _by_value(view, name, container, target, now)
        return _by_share(view, name, container, target, now)
    except MetricError as error:
        what = "utilization" if target.get("averageValue") is None else "usage"
        text = f"failed to get {where} {what}: {error}"
        raise MetricError(reason, text) from None


def _by_share(view: View, name: str, container: str, target: Mapping[str, Any], now: datetime) -> Proposal:
    """Follow the share of their requests that pods use, in percent."""
    wanted = int(target.get("averageUtilization") or 0)
    pods = _grouped(view, name, container, now)
    asked = {objects.uid(pod): _request(pod, name, container) for pod in _known(view)}

    def ratio(used: Mapping[str, int]) -> float:
        whole = sum(asked[uid] for uid in used)
        return (sum(used.values()) * 100 // whole) / wanted if whole else 0.0

    def fallback(pod: Object) -> int:
        return asked[objects.uid(pod)] * max(100, wanted) // 100

    whole = sum(asked[uid] for uid in pods.used)
    if not whole:
        raise MetricError("", "no metrics returned matched known pods")
    replicas = _replicas(view, pods, ratio, fallback)
    total = sum(pods.used.values())
    current = {
        "averageUtilization": total * 100 // whole,
        "averageValue": _shown(name, total // len(pods.used)),
    }
    kind = "container resource" if container else "resource"
    return Proposal(
        replicas, f"{name} {kind} utilization (percentage of request)", _status(name, container, current)
    )


def _by_value(view: View, name: str, container: str, target: Mapping[str, Any], now: datetime) -> Proposal:
    """Follow what pods use on average."""
    wanted = quantity.millis(target["averageValue"])
    pods = _grouped(view, name, container, now)

    def ratio(used: Mapping[str, int]) -> float:
        return sum(used.values()) / len(used) / wanted

    replicas = _replicas(view, pods, ratio, lambda _: wanted)
    current = {"averageValue": _shown(name, sum(pods.used.values()) // len(pods.used))}
    kind = "container resource" if container else "resource"
    return Proposal(replicas, f"{name} {kind}", _status(name, container, current))


def _status(name: str, container: str, current: dict[str, Any]) -> dict[str, Any]:
    if container:
        source = {"name": name, "container": container, "current": current}
        return {"type": "ContainerResource", "containerResource": source}
    return {"type": "Resource", "resource": {"name": name, "current": current}}


def _shown(name: str, millis: int) -> str:
    return quantity.canonical(f"{millis}m") if name == "cpu" else str(millis // 1000)


def _replicas(
    view: View,
    pods: _Pods,
    ratio: Callable[[Mapping[str, int]], float],
    fallback: Callable[[Object], int],
) -> int:
    """Return the number of replicas at which the ratio would be one.

    Pods of which nothing is known hold a change back: they are taken to use nothing when there should be
    more, and as much as they are to when there should be fewer.
    """
    assert view.target is not None
    present = view.target.wanted
    first = ratio(pods.used)
    grows_unready = bool(pods.unready) and first > 1
    if not grows_unready and not pods.missing:
        return present if _tolerated(view, first) else math.ceil(first * len(pods.used))
    used = dict(pods.used)
    if first < 1:
        used |= {objects.uid(pod): fallback(pod) for pod in pods.missing}
    elif first > 1:
        used |= {objects.uid(pod): 0 for pod in pods.missing}
    if grows_unready:
        used |= {objects.uid(pod): 0 for pod in pods.unready}
    second = ratio(used)
    if _tolerated(view, second) or (first < 1) != (second < 1):
        return present
    replicas = math.ceil(second * len(used))
    turned = replicas > present if second < 1 else replicas < present
    return present if turned else replicas


def _tolerated(view: View, ratio: float) -> bool:
    rules = (view.spec.get("behavior") or {}).get("scaleUp" if ratio > 1 else "scaleDown") or {}
    given = rules.get("tolerance")
    return abs(1 - ratio) <= (TOLERANCE if given is None else float(quantity.parse(given))) + 1e-9


def _known(view: View) -> Sequence[Object]:
    assert view.target is not None
    return [
        pod for pod in view.target.pods if not objects.is_deleting(pod) and readiness.phase(pod) != "Failed"
    ]


def _grouped(view: View, name: str, container: str, now: datetime) -> _Pods:
    """Return the pods by what is known of them; those that are leaving do not count at all."""
    if view.samples is None:
        text = f"unable to get metrics for resource {name}: no metrics returned from resource metrics API"
        raise MetricError("", text)
    found = _Pods()
    for pod in _known(view):
        used = _used(pod, view.samples.get(objects.uid(pod)) or {}, name, container)
        if readiness.phase(pod) == "Pending":
            found.unready.append(pod)
        elif used is None:
            found.missing.append(pod)
        elif name == "cpu" and _is_warming_up(pod, used[1], now):
            found.unready.append(pod)
        else:
            found.used[objects.uid(pod)] = used[0]
    if not found.used:
        measured = bool(view.samples)
        text = (
            "did not receive metrics for targeted pods (pods might be unready)"
            if measured
            else f"unable to get metrics for resource {name}: no metrics returned from resource metrics API"
        )
        raise MetricError("", text)
    return found


def _used(pod: Object, samples: Mapping[str, Sample], name: str, container: str) -> tuple[int, Sample] | None:
    """Return what the pod or one container of it uses, in thousandths, and the last sample of it."""
    names = [str(each.get("name")) for each in objects.spec(pod).get("containers") or ()]
    wanted = [container] if container else names
    if not wanted or any(each not in samples for each in wanted):
        return None
    chosen = [samples[each] for each in wanted]
    if name == "cpu":
        return math.ceil(sum(each.cpus for each in chosen) * 1000), chosen[-1]
    return sum(each.memory_bytes for each in chosen) * 1000, chosen[-1]


def _is_warming_up(pod: Object, sample: Sample, now: datetime) -> bool:
    """Tell whether what the pod uses is that of its start."""
    ready = objects.condition(pod, "Ready")
    started = objects.parse_time(objects.status(pod).get("startTime"))
    if ready is None or started is None:
        return True
    is_ready = ready.get("status") == "True"
    changed = objects.parse_time(ready.get("lastTransitionTime")) or started
    if started + CPU_INITIALIZATION > now:
        return not is_ready or sample.at < changed + timedelta(seconds=sample.window_seconds)
    return not is_ready and started + READINESS_DELAY > changed


def _request(pod: Object, name: str, container: str) -> int:
    """Return what the pod's containers, or one of them, ask for, in thousandths."""
    total = 0
    for each in objects.spec(pod).get("containers") or ():
        if container and each.get("name") != container:
            continue
        resources = each.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.get(name)
        if asked is None:
            where = f"container {each.get('name')} of Pod {objects.name(pod)}"
            raise MetricError("", f"missing request for {name} in {where}")
        total += quantity.millis(asked)
    return total
