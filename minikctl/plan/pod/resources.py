"""Requests and limits: what resourceFieldRef reads, what the engine enforces, the QoS class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from minikctl.model import objects, podresources, quality, quantity
from minikctl.model.containers import Limits
from minikctl.model.objects import Object
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.view import NodeInfo

NODE_CRITICAL = 2_000_001_000
"""The priority from which on a pod is what the node itself needs."""
MOST_OOM_SCORE, LEAST_BURSTABLE = 1000, 3
MIN_SHARES = 2
MAX_SHARES = 262144
SHARES_PER_CPU = 1024
PERIOD_US = 100_000
MIN_QUOTA_US = 1000


def _amount(container: Mapping[str, Any], side: str, resource: str) -> str | None:
    found = ((container.get("resources") or {}).get(side) or {}).get(resource)
    return None if found is None else str(found)


def of(container: Object, pod_spec: Object) -> Limits:
    """Return the engine's limits for a container: shares by its request, quota and memory by its limit.

    One that has no limit of its own is held to the pod's, as by a kubelet.
    """
    own = _amount(container, "limits", "cpu")
    request = _amount(container, "requests", "cpu") or own
    limit = own or _amount(pod_spec, "limits", "cpu")
    memory = _amount(container, "limits", "memory") or _amount(pod_spec, "limits", "memory")
    shares = quantity.millis(request) * SHARES_PER_CPU // 1000 if request else 0
    quota = 0
    if limit and quantity.millis(limit):
        quota = max(quantity.millis(limit) * PERIOD_US // 1000, MIN_QUOTA_US)
    return Limits(
        cpu_shares=min(max(shares, MIN_SHARES), MAX_SHARES),
        cpu_quota_us=quota,
        memory_bytes=quantity.whole(memory) if memory else 0,
    )


def oom_score_adj(pod: Object, container: Object, node: NodeInfo) -> int:
    """Return how early the container is killed when the machine runs out of memory, by its QoS class.

    As a kubelet's, but never below 0: no pod outlives what else runs on the machine.
    """
    spec = objects.spec(pod)
    kind = quality.qos_class(pod)
    if int(spec.get("priority") or 0) >= NODE_CRITICAL or kind == "Guaranteed":
        return 0
    if kind == "BestEffort" or not node.memory_bytes:
        return MOST_OOM_SCORE
    asked = quantity.whole(_amount(container, "requests", "memory") or "0") + _share(spec)
    score = MOST_OOM_SCORE - MOST_OOM_SCORE * asked // node.memory_bytes
    return min(max(score, LEAST_BURSTABLE), MOST_OOM_SCORE - 1)


def _share(spec: Object) -> int:
    """Return each container's part of the memory that the pod asks for beyond what its containers do."""
    whole = quantity.whole(podresources.of_pod(spec, "requests").get("memory") or "0")
    own = quantity.whole(podresources.of_containers(spec, "requests").get("memory") or "0")
    containers = len(spec.get("containers") or ()) + len(spec.get("initContainers") or ())
    return max(whole - own, 0) // max(containers, 1)


def field(pod: Object, container: Object, reference: Object, node: NodeInfo) -> str:
    """Return what a resourceFieldRef of this container reads, rounded up to whole divisors."""
    wanted = str(reference.get("containerName") or "")
    if wanted and wanted != container.get("name"):
        container = _named(pod, wanted)
    side, _, resource = str(reference.get("resource") or "").partition(".")
    amount = _value(container, side, resource, node)
    divisor = quantity.parse(reference.get("divisor") or "0") or Fraction(1)
    return str(math.ceil(amount / divisor))


def _named(pod: Object, name: str) -> Object:
    spec = pod.get("spec") or {}
    for container in objects.containers(spec):
        if container.get("name") == name:
            return dict(container)
    raise ConfigError(f"container {name} not found")


def _value(container: Object, side: str, resource: str, node: NodeInfo) -> Fraction:
    if side not in ("limits", "requests"):
        raise ConfigError(f"unsupported container resource : {side}.{resource}")
    found = _amount(container, side, resource)
    if found is None and side == "requests":
        found = _amount(container, "limits", resource)
    if found is not None:
        return quantity.parse(found)
    whole = {"cpu": node.cpus, "memory": node.memory_bytes, "ephemeral-storage": node.storage_bytes}
    return Fraction(whole.get(resource, 0) if side == "limits" else 0)
