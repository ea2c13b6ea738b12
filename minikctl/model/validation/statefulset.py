"""StatefulSet."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.model.validation import workload


def default(obj: Object) -> None:
    """Complete a StatefulSet: the rolling update's partition, its claims and the pod template."""
    spec = objects.spec(obj)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    workload.default_replica_set(obj)
