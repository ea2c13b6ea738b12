"""A plan in the making: ReplicaSets as they will be, and what to say about each change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, RecordEvent, Update
from minikctl.plan import conditions
from minikctl.plan.deployment import parts
from minikctl.plan.deployment.parts import Deployment, ReplicaSet

COMPONENT = "deployment-controller"
PROGRESSING = "Progressing"


class Draft:
    """Collects the edits of one plan; each ReplicaSet is written at most once."""

    def __init__(self, deployment: Deployment, sets: list[ReplicaSet], now: datetime) -> None:
        self.deployment = deployment
        self.now = now
        self.new: ReplicaSet | None = None
        self.old: list[ReplicaSet] = sets
        self.revision = ""
        self.conditions: list[dict[str, Any]] = list(deployment.status.get("conditions") or ())
        self._told: dict[str, list[RecordEvent]] = {}
        self._deleted: list[Delete] = []

    @property
    def all(self) -> list[ReplicaSet]:
        """Return the old ReplicaSets and the new one, if there is one."""
        return [*self.old, self.new] if self.new is not None else list(self.old)

    def replace(self, edited: ReplicaSet) -> None:
        """Put the edited ReplicaSet in the place of the one of its name."""
        if self.new is not None and self.new.name == edited.name:
            self.new = edited
        self.old = [edited if each.name == edited.name else each for each in self.old]

    def scale(self, target: ReplicaSet, replicas: int) -> bool:
        """Ask the ReplicaSet for that many pods and tell it; False if it is asked for them already."""
        if target.replicas == replicas:
            return False
        self.resize(target, replicas)
        return True

    def resize(self, target: ReplicaSet, replicas: int) -> None:
        """Ask the ReplicaSet for that many pods, and note on it how far the Deployment may go."""
        self.replace(self.bounded(target).with_spec(replicas=replicas))
        if target.replicas != replicas:
            way = "up" if target.replicas < replicas else "down"
            self.tell(
                target.name,
                f"Scaled {way} replica set {target.name} from {target.replicas} to {replicas}",
            )

    def bounded(self, target: ReplicaSet) -> ReplicaSet:
        """Return it with the annotations by which a later change of scale is noticed."""
        wanted = self.deployment.replicas
        return target.annotated(
            {
                parts.DESIRED_REPLICAS: str(wanted),
                parts.MAX_REPLICAS: str(wanted + self.deployment.max_surge),
            }
        )

    def tell(self, name: str, message: str) -> None:
        """Have the change of the ReplicaSet told as an event on the Deployment."""
        event = RecordEvent(self.deployment.object, "Normal", "ScalingReplicaSet", message, COMPONENT)
        self._told.setdefault(name, []).append(event)

    def delete(self, target: ReplicaSet) -> None:
        """Remove the ReplicaSet, and with it a revision of the history."""
        namespace, name = objects.key(target.object)
        self._deleted.append(Delete(kinds.REPLICA_SET, namespace, name, target.uid))

    def progress(self, status: str, reason: str, message: str) -> None:
        """Set the Progressing condition, unless it says so already."""
        self.conditions = conditions.put(self.conditions, progressing(status, reason, message, self.now))

    def actions(self) -> tuple[ApiAction, ...]:
        """Return what to do, a new ReplicaSet first."""
        found: list[ApiAction] = []
        for each in sorted(self.all, key=lambda each: bool(each.uid)):
            if not each.uid:
                found.append(Create(kinds.REPLICA_SET, each.object))
            elif each.is_edited:
                found.append(Update(kinds.REPLICA_SET, each.object))
            found += self._told.get(each.name, ())
        if self.revision and objects.annotations(self.deployment.object).get(parts.REVISION) != self.revision:
            found.append(_annotate(self.deployment, self.revision))
        return (*found, *self._deleted)


def progressing(status: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """Return a Progressing condition that begins now."""
    condition = conditions.new(PROGRESSING, status, reason, message, now)
    return {**condition, "lastUpdateTime": condition["lastTransitionTime"]}


def _annotate(deployment: Deployment, revision: str) -> Patch:
    namespace, name = objects.key(deployment.object)
    body = {"metadata": {"annotations": {parts.REVISION: revision}}}
    return Patch(kinds.DEPLOYMENT, namespace, name, body)
