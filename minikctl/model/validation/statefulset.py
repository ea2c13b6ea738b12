"""StatefulSet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec, shares, workload

_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def default(obj: Object) -> None:
    """Complete a StatefulSet: the rolling update's steps, its claims and the pod template."""
    spec = objects.spec(obj)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "RollingUpdate":
        steps = strategy.setdefault("rollingUpdate", {})
        steps.setdefault("partition", 0)
        steps.setdefault("maxUnavailable", 1)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
        claim.setdefault("status", {}).setdefault("phase", "Pending")
    workload.default_replica_set(obj)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a StatefulSet; as in Kubernetes, its pods are judged when they are made."""
    spec = objects.spec(obj)
    template = spec.get("template") or {}
    found = [
        *workload.matching(spec, "statefulset"),
        *podspec.validate_metadata(template, "spec.template"),
        *workload.lasting(template, "StatefulSet"),
        *_strategy(spec),
    ]
    start = (spec.get("ordinals") or {}).get("start") or 0
    if start < 0:
        found.append(causes.invalid("spec.ordinals.start", start, "must be greater than or equal to 0"))
    if old is not None and _fixed(spec) != _fixed(objects.spec(old)):
        allowed = ", ".join(f"'{name}'" for name in _MUTABLE[:-1]) + f" and '{_MUTABLE[-1]}'"
        text = f"updates to statefulset spec for fields other than {allowed} are forbidden"
        found.append(causes.forbidden("spec", text))
    return found


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in spec.items() if name not in _MUTABLE}


def _strategy(spec: dict[str, Any]) -> Iterator[Cause]:
    path, strategy = "spec.updateStrategy", spec.get("updateStrategy") or {}
    steps = strategy.get("rollingUpdate")
    if strategy.get("type") == "OnDelete" and steps is not None:
        yield causes.invalid(
            f"{path}.rollingUpdate", steps, "only allowed for updateStrategy 'RollingUpdate'"
        )
    elif strategy.get("type") == "RollingUpdate":
        yield from shares.number(f"{path}.rollingUpdate.partition", (steps or {}).get("partition"))
        unavailable = (steps or {}).get("maxUnavailable")
        faults = list(shares.number(f"{path}.rollingUpdate.maxUnavailable", unavailable))
        yield from faults
        if not faults and unavailable is not None and shares.is_zero(unavailable):
            yield causes.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "cannot be 0")
