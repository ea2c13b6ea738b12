"""Metrics objects, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from minikctl.model import kinds, objects
from minikctl.model.kinds import metrics
from minikctl.model.objects import Object
from minikctl.plan import readiness


class Sample(Protocol):
    """What a container used: CPUs on average over the window, and bytes of memory at its end."""

    @property
    def cpus(self) -> float:
        """Return CPUs."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Return bytes."""
        ...

    @property
    def at(self) -> datetime:
        """Return the end of the window."""
        ...

    @property
    def window_seconds(self) -> float:
        """Return the length of the window."""
        ...


@dataclass(frozen=True)
class _Idle:
    """A node without pods."""

    at: datetime
    cpus: float = 0.0
    memory_bytes: int = 0
    window_seconds: float = 0.0


def of_pod(pod: Object, samples: Mapping[str, Sample]) -> Object | None:
    """Return the PodMetrics of a running pod; None while not all of its containers were measured."""
    names = [str(each.get("name")) for each in objects.spec(pod).get("containers") or ()]
    sidecars = [
        str(each.get("name"))
        for each in objects.spec(pod).get("initContainers") or ()
        if each.get("restartPolicy") == "Always" and each.get("name") in samples
    ]
    if readiness.phase(pod) != "Running" or any(name not in samples for name in names):
        return None
    measured = [samples[name] for name in (*names, *sidecars)]
    containers = [
        {"name": name, "usage": _amounts(sample.cpus, sample.memory_bytes)}
        for name, sample in zip((*names, *sidecars), measured, strict=True)
    ]
    meta: dict[str, Any] = {"name": objects.name(pod), "namespace": objects.namespace(pod)}
    if objects.labels(pod):
        meta["labels"] = objects.labels(pod)
    return {**_head(kinds.POD_METRICS, meta, measured), "containers": containers}


def of_node(node: Object, pods: Iterable[Mapping[str, Sample]], now: datetime) -> Object:
    """Return the NodeMetrics: the sum of what the containers of its pods use."""
    measured = [sample for samples in pods for sample in samples.values()] or [_Idle(now)]
    meta: dict[str, Any] = {"name": objects.name(node)}
    if objects.labels(node):
        meta["labels"] = objects.labels(node)
    usage = _amounts(sum(each.cpus for each in measured), sum(each.memory_bytes for each in measured))
    return {**_head(kinds.NODE_METRICS, meta, measured), "usage": usage}


def _head(kind: Any, meta: dict[str, Any], measured: list[Sample]) -> Object:
    latest = max(measured, key=lambda each: each.at)
    stamp = objects.timestamp(latest.at)
    return {
        "kind": kind.kind,
        "apiVersion": kind.api_version,
        "metadata": {**meta, "creationTimestamp": stamp},
        "timestamp": stamp,
        "window": f"{latest.window_seconds:.3f}s",
    }


def _amounts(cpus: float, memory_bytes: float) -> dict[str, str]:
    return {"cpu": metrics.shown("cpu", cpus), "memory": metrics.shown("memory", memory_bytes)}
