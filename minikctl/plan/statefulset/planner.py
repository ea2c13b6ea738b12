"""The planner of StatefulSets: one step after the other, or all at once where the order does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import claims, history, readiness, templates
from minikctl.plan.history import History
from minikctl.plan.statefulset import parts, status, storage
from minikctl.plan.statefulset.parts import StatefulSet, View
from minikctl.plan.statefulset.storage import COMPONENT


@dataclass(frozen=True)
class Replicas:
    """A set's pods: those wanted by ordinal (None: missing), and those to go, the highest ordinal first."""

    wanted: dict[int, Object | None]
    condemned: tuple[tuple[int, Object], ...]

    @classmethod
    def of(cls, owner: StatefulSet, pods: Iterable[Object]) -> Replicas:
        """Return the pods in their places."""
        found = {ordinal: pod for pod in pods if (ordinal := parts.member(owner.object, pod)) is not None}
        wanted = {ordinal: found.get(ordinal) for ordinal in owner.ordinals}
        others = sorted(((o, pod) for o, pod in found.items() if o not in wanted), key=lambda each: -each[0])
        return cls(wanted, tuple(others))

    def first_unavailable(self, owner: StatefulSet, now: datetime) -> Object | None:
        """Return the pod that others wait for: the lowest that is not available, wanted ones first.

        There is to be one; None if it is yet to be made.
        """
        pods = (*self.wanted.values(), *(pod for _, pod in reversed(self.condemned)))
        return next(pod for pod in pods if owner.unavailable(pod, now))


def desired(view: View, now: datetime) -> Plan:
    """Return the next step: adoption, the revision of the present template, then pods and claims."""
    selector = selectors.of(objects.spec(view.object).get("selector"))
    found = claims.claim(view.object, selector, view.pods, kinds.POD, lambda pod: _is_member(view, pod))
    kept = claims.claim(view.object, selector, view.revisions, kinds.CONTROLLER_REVISION)
    adoption = (*found.actions, *(each for each in kept.actions if claims.is_adoption(each, view.object)))
    if adoption:
        return Plan(adoption)
    owner = StatefulSet.of(view.object)
    past = history.of(view.object, view.revisions, parts.HASH)
    if past.collisions != int(objects.status(view.object).get("collisionCount") or 0):
        return Plan((), {**objects.status(view.object), "collisionCount": past.collisions})
    if past.actions and not objects.is_deleting(view.object):
        return Plan(past.actions)
    current = past.named(str(objects.status(view.object).get("currentRevision") or "")) or past.wanted
    actions: tuple[ApiAction, ...] = ()
    if not objects.is_deleting(view.object):
        actions = tuple(_Step(owner, view, past, current, found.owned, now).actions())
    told = status.of(owner, found.owned, current, past, now)
    return Plan(actions, told, status.wake_in(owner, found.owned, now))


def _is_member(view: View, pod: Object) -> bool:
    return parts.member(view.object, pod) is not None


def failed(view: View, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG001 - of all planners
    """Return what tells the user that an action of the plan was refused."""
    name = objects.name(view.object)
    match action:
        case Create() if action.kind is kinds.POD:
            verb, subject = "Create", f"Pod {objects.name(action.object)}"
        case Create() if action.kind is kinds.PERSISTENT_VOLUME_CLAIM:
            claim = objects.name(action.object)
            verb, subject = "Create", f"Claim {claim} for Pod {_pod_of(view, claim)}"
        case Delete() if action.kind is kinds.POD:
            verb, subject = "Delete", f"Pod {action.name}"
        case _:
            return Plan()
    text = f"{verb.lower()} {subject} in StatefulSet {name} failed error: {message}"
    return Plan((RecordEvent(view.object, "Warning", f"Failed{verb}", text, COMPONENT),))


def _pod_of(view: View, claim: str) -> str:
    owner = objects.name(view.object)
    return f"{owner}-{claim.rpartition('-')[2]}"


class _Step:
    """One plan in the making."""

    def __init__(
        self,
        owner: StatefulSet,
        view: View,
        past: History,
        current: Object,
        pods: tuple[Object, ...],
        now: datetime,
    ) -> None:
        self.owner, self.view, self.past, self.current, self.now = owner, view, past, current, now
        self.replicas = Replicas.of(owner, pods)

    def actions(self) -> Iterator[ApiAction]:
        """Yield the step: missing pods, then those to go, then those to be replaced; then tidying."""
        yield from self._pods()
        yield from history.surplus(self.past, self._live(), self.owner.history_limit)

    def _live(self) -> Iterator[str]:
        yield objects.name(self.current)
        yield objects.name(self.past.wanted)
        yield from map(parts.revision, self.view.pods)

    def _pods(self) -> Iterator[ApiAction]:
        for ordinal, pod in self.replicas.wanted.items():
            actions, blocks = self._replica(ordinal, pod)
            yield from actions
            if blocks and not self.owner.parallel:
                return
        for ordinal, pod in self.replicas.condemned:
            yield from storage.retention(self.owner, self.view, pod, ordinal)
        for _, pod in self.replicas.condemned:
            if not objects.is_deleting(pod):
                if not self.owner.parallel and self._waits(pod):
                    return
                yield from self._delete(pod)
            if not self.owner.parallel:
                return
        if self.owner.rolling:
            yield from self._update()

    def _replica(self, ordinal: int, pod: Object | None) -> tuple[list[ApiAction], bool]:
        """Return what the replica needs, and whether its successors have to wait for it."""
        if pod is None:
            if storage.is_leaving(self.owner, self.view, ordinal):
                return [], True
            return [*storage.missing(self.owner, self.view, ordinal), *self._create(ordinal)], True
        if readiness.is_finished(pod):
            return ([] if objects.is_deleting(pod) else list(self._delete(pod))), True
        actions: list[ApiAction] = []
        if readiness.phase(pod) == "Pending" and not storage.is_leaving(self.owner, self.view, ordinal):
            actions += storage.missing(self.owner, self.view, ordinal)
        if self.owner.unavailable(pod, self.now) and not self.owner.parallel:
            return actions, True
        if not objects.is_deleting(pod):
            actions += self._identity(pod, ordinal)
            actions += storage.retention(self.owner, self.view, pod, ordinal)
        return actions, False

    def _waits(self, pod: Object) -> bool:
        """Tell whether a pod may not go yet: another one has to be available first."""
        if not self.owner.unavailable(pod, self.now):
            return False
        return pod is not self.replicas.first_unavailable(self.owner, self.now)

    def _update(self) -> Iterator[ApiAction]:
        """Yield the deletion of old pods, from the highest ordinal on, as many as may be unavailable."""
        owner, newest = self.owner, objects.name(self.past.wanted)
        pods = self.replicas.wanted
        budget = owner.max_unavailable - sum(owner.unavailable(pod, self.now) for pod in pods.values())
        for ordinal in reversed(owner.ordinals[owner.partition or 0 :]):
            pod = pods[ordinal]
            if pod is None or objects.is_deleting(pod) or parts.revision(pod) == newest:
                continue
            if owner.unavailable(pod, self.now):
                # It serves nobody: replacing it costs nothing, waiting for it could take for ever.
                yield from self._delete(pod)
            elif budget > 0:
                budget -= 1
                yield from self._delete(pod)

    def _create(self, ordinal: int) -> Iterator[ApiAction]:
        pod = self._pod(ordinal)
        yield Create(kinds.POD, pod)
        yield self._told("create", objects.name(pod))

    def _delete(self, pod: Object) -> Iterator[ApiAction]:
        namespace, name = objects.key(pod)
        yield Delete(kinds.POD, namespace, name, objects.uid(pod))
        yield self._told("delete", name)

    def _told(self, verb: str, pod: str) -> RecordEvent:
        text = f"{verb} Pod {pod} in StatefulSet {self.owner.name} successful"
        return RecordEvent(self.owner.object, "Normal", f"Successful{verb.title()}", text, COMPONENT)

    def _identity(self, pod: Object, ordinal: int) -> Iterator[ApiAction]:
        """Yield what gives the pod back the labels that tell who it is."""
        wanted = _labels(pod, ordinal)
        if any(objects.labels(pod).get(key) != value for key, value in wanted.items()):
            yield Patch(kinds.POD, *objects.key(pod), {"metadata": {"labels": wanted}})

    def _pod(self, ordinal: int) -> Object:
        old = self._made_from_current(ordinal)
        source = self.current if old else self.past.wanted
        shape = history.shape(source) if old else objects.spec(self.owner.object).get("template") or {}
        name = f"{self.owner.name}-{ordinal}"
        labels = {parts.REVISION: objects.name(source), parts.POD_NAME: name, parts.POD_INDEX: str(ordinal)}
        pod = templates.pod(self.owner.object, shape, {"name": name, "labels": labels})
        spec: dict[str, Any] = {**pod["spec"], "hostname": name}
        service = objects.spec(self.owner.object).get("serviceName")
        if service:
            spec["subdomain"] = service
        spec["volumes"] = storage.volumes(self.owner, ordinal, list(spec.get("volumes") or ()))
        return {**pod, "spec": {key: value for key, value in spec.items() if value != []}}

    def _made_from_current(self, ordinal: int) -> bool:
        """Tell whether the replica is below the partition: it keeps the revision before the update."""
        if not self.owner.rolling:
            return False
        kept = self.owner.partition
        if kept is None:
            kept = int(objects.status(self.owner.object).get("currentReplicas") or 0)
        return ordinal < self.owner.start + kept


def _labels(pod: Object, ordinal: int) -> dict[str, str]:
    return {parts.POD_NAME: objects.name(pod), parts.POD_INDEX: str(ordinal)}
