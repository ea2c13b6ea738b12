"""What the planner sees: a Deployment, its ReplicaSets and their pods, read once into frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.deployment import fences

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"
NO_LIMIT = 2**31 - 1
"""The largest int32: as a deadline or a history limit it means that there is none."""
_EPOCH = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class View:
    """A Deployment with the ReplicaSets of its namespace that it controls, selects or might collide with.

    ``pods`` are those that its ReplicaSets control.
    """

    object: Object
    replica_sets: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()


@dataclass(frozen=True)
class ReplicaSet:
    """A ReplicaSet as it is, or as it will be after an edit; ``original`` is what was read."""

    object: Object
    original: Object

    @classmethod
    def of(cls, obj: Object) -> ReplicaSet:
        """Return the object as read."""
        return cls(obj, obj)

    @property
    def name(self) -> str:
        """Return the name."""
        return objects.name(self.object)

    @property
    def uid(self) -> str:
        """Return the uid, "" before its creation."""
        return objects.uid(self.object)

    @property
    def age_key(self) -> tuple[datetime, str]:
        """Return what sorts ReplicaSets from the oldest to the youngest."""
        created = objects.parse_time(objects.meta(self.object).get("creationTimestamp"))
        return created or _EPOCH, self.name

    @property
    def replicas(self) -> int:
        """Return how many pods it is asked for."""
        found = objects.spec(self.object).get("replicas")
        return 1 if found is None else int(found)

    def counted(self, field: str) -> int:
        """Return a number from its status, 0 if it tells none."""
        return int(objects.status(self.object).get(field) or 0)

    @property
    def available(self) -> int:
        """Return how many of the pods that it shall keep are available."""
        return min(self.counted("availableReplicas"), self.replicas)

    @property
    def is_observed(self) -> bool:
        """Tell whether its status speaks of what it is asked for now."""
        return self.counted("observedGeneration") >= objects.generation(self.original)

    @property
    def annotations(self) -> Mapping[str, str]:
        """Return the annotations."""
        return objects.annotations(self.object)

    def number(self, annotation: str) -> int | None:
        """Return the whole number in an annotation, None if there is none."""
        text = self.annotations.get(annotation, "")
        return int(text) if text.isdigit() else None

    @property
    def revision(self) -> int:
        """Return the revision, 0 if it has none that can be read."""
        return self.number(REVISION) or 0

    @property
    def is_edited(self) -> bool:
        """Tell whether it differs from what was read."""
        return self.object != self.original

    def annotated(self, values: Mapping[str, str]) -> ReplicaSet:
        """Return it with these annotations added."""
        merged = {**self.annotations, **values}
        if merged == self.annotations:
            return self
        metadata = {**objects.meta(self.object), "annotations": merged}
        return replace(self, object={**self.object, "metadata": metadata})

    def with_spec(self, **fields: Any) -> ReplicaSet:
        """Return it with these fields of its spec replaced."""
        return replace(self, object={**self.object, "spec": {**objects.spec(self.object), **fields}})


@dataclass(frozen=True)
class Deployment:
    """The fields of a Deployment that decide its rollout."""

    object: Object
    name: str
    replicas: int
    strategy: str
    max_surge: int
    max_unavailable: int
    deadline: int | None
    history_limit: int | None
    paused: bool

    @classmethod
    def of(cls, obj: Object) -> Deployment:
        """Return what the object says, with the defaults for what it does not say."""
        spec = objects.spec(obj)
        replicas = 1 if spec.get("replicas") is None else int(spec["replicas"])
        strategy = spec.get("strategy") or {}
        kind = str(strategy.get("type") or "RollingUpdate")
        rolling = strategy.get("rollingUpdate") or {}
        surge = unavailable = 0
        if kind == "RollingUpdate":
            surge, unavailable = fences.resolve(
                rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), replicas
            )
        return cls(
            object=obj,
            name=objects.name(obj),
            replicas=replicas,
            strategy=kind,
            max_surge=surge,
            max_unavailable=min(unavailable, replicas),
            deadline=_limited(spec.get("progressDeadlineSeconds")),
            history_limit=_limited(spec.get("revisionHistoryLimit")),
            paused=bool(spec.get("paused")),
        )

    @property
    def template(self) -> dict[str, Any]:
        """Return the pod template."""
        return objects.spec(self.object).get("template") or {}

    @property
    def min_ready_seconds(self) -> int:
        """Return how long a pod has to be ready before it counts as available."""
        return int(objects.spec(self.object).get("minReadySeconds") or 0)

    @property
    def status(self) -> dict[str, Any]:
        """Return the status as stored."""
        return objects.status(self.object)

    @property
    def collisions(self) -> int | None:
        """Return how many names were taken by strangers, None if none was."""
        found = self.status.get("collisionCount")
        return None if found is None else int(found)

    @property
    def is_rolling(self) -> bool:
        """Tell whether pods are replaced step by step."""
        return self.strategy == "RollingUpdate"


def _limited(value: Any) -> int | None:
    return None if value is None or int(value) >= NO_LIMIT else int(value)


def total(sets: Iterable[ReplicaSet]) -> int:
    """Return how many pods the ReplicaSets are asked for together."""
    return sum(each.replicas for each in sets)


def total_counted(sets: Iterable[ReplicaSet], field: str) -> int:
    """Return the sum of a number of their statuses."""
    return sum(each.counted(field) for each in sets)


def active(sets: Iterable[ReplicaSet]) -> list[ReplicaSet]:
    """Return those that are asked for any pod."""
    return [each for each in sets if each.replicas > 0]
