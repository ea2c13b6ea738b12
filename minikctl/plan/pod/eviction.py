"""Eviction of pods that take more of the disk than they may: emptyDirs and containers beyond their limits.

Words and order are the kubelet's (``pkg/kubelet/eviction``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, quantity
from minikctl.model.actions.api import ApiAction, Update
from minikctl.model.objects import Object
from minikctl.plan import conditions
from minikctl.plan.pod import events, names
from minikctl.plan.pod.view import NodeInfo

REASON = "Evicted"
GRACE_SECONDS = 1
STORAGE = "ephemeral-storage"


@dataclass(frozen=True)
class Limits:
    """What a pod may use: volumes and containers by name, and the whole pod; amounts are quantities."""

    volumes: Mapping[str, str]
    containers: Mapping[str, str]

    @property
    def measures_containers(self) -> bool:
        """Tell whether what containers write matters."""
        return bool(self.containers)


@dataclass(frozen=True)
class Usage:
    """Bytes by volume (emptyDirs) and by container (what it wrote to its own file system)."""

    volumes: Mapping[str, int]
    containers: Mapping[str, int]


def limits(pod: Object) -> Limits | None:
    """Return the pod's limits, None if it has none or is over."""
    if objects.status(pod).get("phase") in ("Succeeded", "Failed") or objects.is_deleting(pod):
        return None
    volumes = {
        name: str(source["sizeLimit"])
        for name, source in _scratch(pod).items()
        if source.get("sizeLimit") and quantity.parse(source["sizeLimit"]) > 0
    }
    containers = {
        str(each.get("name")): str(asked[STORAGE])
        for each in _containers(pod)
        if STORAGE in (asked := (each.get("resources") or {}).get("limits") or {})
    }
    return Limits(volumes, containers) if volumes or containers else None


def directories(pod: Object, found: Limits, node: NodeInfo) -> dict[str, str]:
    """Return where the volumes are that have to be measured: those with a limit, or all on the disk."""
    chosen = {}
    for name, source in _scratch(pod).items():
        memory = names.memory_dir(node, objects.uid(pod)) if source.get("medium") == "Memory" else ""
        # What is in memory is no disk: it counts against its own limit only.
        if name in found.volumes or (found.measures_containers and not memory):
            chosen[name] = f"{memory}/{name}" if memory else names.volume_dir(node, objects.uid(pod), name)
    return chosen


def verdict(pod: Object, found: Limits, usage: Usage) -> str:
    """Return why the pod has to go, "" if it may stay."""
    for name, limit in found.volumes.items():
        if usage.volumes.get(name, 0) > quantity.parse(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{quantity.canonical(limit)}". '
    if not found.containers:
        return ""
    disks = (name for name, source in _scratch(pod).items() if source.get("medium") != "Memory")
    used = sum(usage.containers.values()) + sum(usage.volumes.get(name, 0) for name in disks)
    total = quantity.total(found.containers.values())
    if used > quantity.parse(total):
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {total}. "
    for name, limit in found.containers.items():
        if usage.containers.get(name, 0) > quantity.parse(limit):
            text = quantity.canonical(limit)
            return f'Container {name} exceeded its local ephemeral storage limit "{text}". '
    return ""


def evict(pod: Object, message: str, now: datetime) -> tuple[ApiAction, ...]:
    """Return the end of the pod, from which the node takes its containers away."""
    target = conditions.new("DisruptionTarget", "True", "TerminationByKubelet", message, now)
    status = {
        **objects.status(pod),
        "phase": "Failed",
        "reason": REASON,
        "message": message,
        "conditions": conditions.refreshed(objects.status(pod).get("conditions") or (), target),
    }
    return (
        Update(kinds.POD, {**pod, "status": status}, "status"),
        events.warning(pod, REASON, message),
    )


def grace(pod: Object, asked: int) -> int:
    """Return how long the pod's containers have to end: those of an evicted one hardly any time."""
    return min(asked, GRACE_SECONDS) if objects.status(pod).get("reason") == REASON else asked


def _scratch(pod: Object) -> dict[str, Any]:
    volumes = objects.spec(pod).get("volumes") or ()
    return {str(each.get("name")): each["emptyDir"] or {} for each in volumes if "emptyDir" in each}


def _containers(pod: Object) -> list[Any]:
    """Return the containers that stay: those of the app, and sidecars."""
    spec = objects.spec(pod)
    init = spec.get("initContainers") or ()
    return [
        *(spec.get("containers") or ()),
        *(each for each in init if each.get("restartPolicy") == "Always"),
    ]
