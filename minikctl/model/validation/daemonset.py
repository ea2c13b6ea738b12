"""DaemonSet."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.model.validation import workload


def default(obj: Object) -> None:
    """Complete a DaemonSet: the rolling update's steps and the pod template."""
    strategy = objects.spec(obj).get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        steps = strategy.setdefault("rollingUpdate", {})
        steps.setdefault("maxUnavailable", 1)
        steps.setdefault("maxSurge", 0)
    workload.default_replica_set(obj)
