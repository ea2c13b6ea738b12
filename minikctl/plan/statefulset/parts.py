"""What the planner sees: a StatefulSet, its pods by ordinal, its claims and revisions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.deployment import fences

REVISION = "controller-revision-hash"
POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
HASH = "controller.kubernetes.io/hash"
_MEMBER = re.compile(r"(.*)-([0-9]+)")


@dataclass(frozen=True)
class View:
    """A StatefulSet, the pods and revisions that it controls or selects, and claims by name.

    ``revisions`` also holds those of others whose names begin like its own.
    """

    object: Object
    pods: tuple[Object, ...] = ()
    revisions: tuple[Object, ...] = ()
    claims: Mapping[str, Object] = field(default_factory=dict)


def member(owner: Object, pod: Object) -> int | None:
    """Return the ordinal in the pod's name, None if it is not named like one of the owner's."""
    match = _MEMBER.fullmatch(objects.name(pod))
    if match is None or match[1] != objects.name(owner):
        return None
    return int(match[2])


@dataclass(frozen=True)
class StatefulSet:
    """The fields of a StatefulSet that decide what becomes of its pods."""

    object: Object
    replicas: int
    start: int
    parallel: bool
    min_ready: int
    rolling: bool
    partition: int | None
    max_unavailable: int
    keeps_scaled: bool
    keeps_deleted: bool
    history_limit: int | None

    @classmethod
    def of(cls, obj: Object) -> StatefulSet:
        """Return what the object says, with the defaults for what it does not say."""
        spec = objects.spec(obj)
        strategy = spec.get("updateStrategy") or {}
        steps = strategy.get("rollingUpdate")
        replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
        retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
        limit = spec.get("revisionHistoryLimit")
        allowed = (steps or {}).get("maxUnavailable")
        return cls(
            object=obj,
            replicas=replicas,
            start=int((spec.get("ordinals") or {}).get("start") or 0),
            parallel=spec.get("podManagementPolicy") == "Parallel",
            min_ready=int(spec.get("minReadySeconds") or 0),
            rolling=(strategy.get("type") or "RollingUpdate") == "RollingUpdate",
            partition=None if steps is None else int(steps.get("partition") or 0),
            max_unavailable=1 if allowed is None else max(fences.scaled(allowed, replicas, up=False), 1),
            keeps_scaled=retention.get("whenScaled") != "Delete",
            keeps_deleted=retention.get("whenDeleted") != "Delete",
            history_limit=None if limit is None else int(limit),
        )

    @property
    def name(self) -> str:
        """Return the name."""
        return objects.name(self.object)

    @property
    def ordinals(self) -> range:
        """Return the ordinals of the wanted pods."""
        return range(self.start, self.start + self.replicas)

    def unavailable(self, pod: Object | None, now: datetime) -> bool:
        """Tell whether the replica cannot be counted on: missing, leaving or not available."""
        if pod is None or objects.is_deleting(pod):
            return True
        return readiness.available_in(pod, self.min_ready, now) != 0.0


def revision(pod: Object) -> str:
    """Return the name of the revision that the pod was made from."""
    return objects.labels(pod).get(REVISION, "")
