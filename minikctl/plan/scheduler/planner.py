"""The plan for all pods that wait."""

from __future__ import annotations

import itertools
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Delete, Patch, Plan, RecordEvent, Update
from minikctl.model.objects import Key, Object
from minikctl.plan import conditions, readiness
from minikctl.plan.scheduler import devices, preemption
from minikctl.plan.scheduler.choice import Choice
from minikctl.plan.scheduler.draft import Draft
from minikctl.plan.scheduler.facts import PodFacts
from minikctl.plan.scheduler.summary import Summary
from minikctl.plan.scheduler.verdict import Verdict
from minikctl.plan.storage import scheduling

NAME = "default-scheduler"
RETRY_SECONDS = 300.0
"""Whatever changed unnoticed: pods that found no node are looked at again after this time."""
KEPT = 8
"""For so many kinds of pods, what is known of the nodes is kept during a plan."""


@dataclass(frozen=True)
class View:
    """Nodes and pods in summary, the labels of each namespace, the disruption budgets, the storage.

    ``device_claims`` are the keys of the ResourceClaims.
    """

    summary: Summary
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    budgets: tuple[Object, ...] = ()
    storage: scheduling.Storage = field(default_factory=scheduling.Storage)
    device_claims: frozenset[Key] = frozenset()
    object: Object = field(default_factory=dict)


def desired(view: View, now: datetime) -> Plan:
    """Return a binding for each waiting pod that fits, and what to tell the others."""
    waiting = sorted((pod for pod in view.summary.waiting.values() if _is_ours(pod)), key=_order)
    cycle = _Cycle(view, now)
    for _, equals in itertools.groupby(waiting, key=lambda pod: pod.priority):
        found = list(equals)
        for pod in found:
            cycle.keep_room(pod)
        for pod in found:
            cycle.plan(pod)
    return Plan(tuple(cycle.actions), wake_in=RETRY_SECONDS if cycle.stuck else None)


def _is_ours(pod: PodFacts) -> bool:
    return (objects.spec(pod.pod).get("schedulerName") or NAME) == NAME and readiness.is_active(pod.pod)


def _order(pod: PodFacts) -> tuple[int, str, str, str]:
    created = str(objects.meta(pod.pod).get("creationTimestamp") or "")
    return -pod.priority, created, *objects.key(pod.pod)


class _Cycle:
    """One pass over the waiting pods."""

    def __init__(self, view: View, now: datetime) -> None:
        self.actions: list[ApiAction] = []
        self.stuck = False
        self._now = now
        self._budgets = view.budgets
        self._storage = view.storage
        self._device_claims = view.device_claims
        self._draft = Draft(view.summary, view.namespaces, view.storage)
        self._choices: OrderedDict[str, Choice] = OrderedDict()
        self._refused: dict[str, tuple[int, str]] = {}
        """What was found out for pods that are alike, and at which version of the draft."""

    def keep_room(self, pod: PodFacts) -> None:
        """Keep room for a pod that is to get what its victims leave."""
        node = _nominated(pod)
        if node in self._draft.rooms and not _is_gated(pod):
            self._draft.reserve(pod, node)

    def plan(self, pod: PodFacts) -> None:
        """Plan for one pod."""
        if _is_gated(pod):
            message = "Scheduling is blocked due to non-empty scheduling gates"
            self.actions += _told(pod.pod, _held(pod.pod, "SchedulingGated", message, self._now))
            return
        unmet = devices.blocked(pod.pod, self._device_claims, len(self._draft.rooms))
        blocked = unmet or scheduling.blocked(pod.pod, self._storage)
        if blocked:
            self.stuck = True
            self.actions += _unschedulable(pod.pod, self._blocked(pod, blocked), "", self._now)
            return
        nominated = _nominated(pod)
        if nominated in self._draft.rooms:
            self._draft.release(pod, nominated)
        choice = self._choice(pod)
        node = self._nominated_fits(choice, nominated) or choice.best()
        if node is not None:
            self._draft.place(pod, node)
            if scheduling.is_ready(pod.pod, self._storage):
                self.actions += _binding(pod.pod, node, self._now)
            else:
                self.actions += scheduling.selections(pod.pod, node, self._storage)
            return
        self.stuck = True
        message, node = self._refusal(pod, choice, nominated)
        if node:
            self._draft.reserve(pod, node)
        self.actions += _unschedulable(pod.pod, message, node, self._now)

    def _blocked(self, pod: PodFacts, reason: str) -> str:
        """Return the words for what keeps the pod from every node, whoever is there."""
        total = len(self._draft.rooms)
        if not total:
            return _summed_up({}, total)
        verdicts = dict.fromkeys(self._draft.rooms, Verdict((reason,), helped=False))
        why = preemption.ineligible(pod, self._draft, verdicts) or preemption.useless(total)
        given_up = " still not schedulable," if reason.endswith(devices.NOWHERE) else ""
        return f"0/{total} nodes are available: {reason}.{given_up} preemption: {why}"

    def _nominated_fits(self, choice: Choice, nominated: str) -> str | None:
        room = self._draft.rooms.get(nominated)
        return nominated if room is not None and choice.verdict(room) is None else None

    def _choice(self, pod: PodFacts) -> Choice:
        """Return what is known of the nodes for such pods."""
        found = self._choices.get(pod.signature)
        if found is not None and found.fits_plan:
            self._choices.move_to_end(pod.signature)
            return found
        if found is not None:
            self._draft.unfollow(self._choices.pop(pod.signature))
        elif len(self._choices) >= KEPT:
            self._draft.unfollow(self._choices.popitem(last=False)[1])
        found = self._choices[pod.signature] = Choice(pod, self._draft)
        self._draft.follow(found)
        return found

    def _refusal(self, pod: PodFacts, choice: Choice, nominated: str) -> tuple[str, str]:
        """Return why no node is possible, and the node that others are driven from for the pod.

        While nothing changes, the next pod like this one is refused in the same words.
        """
        version, message = self._refused.get(pod.signature, (-1, ""))
        if not nominated and version == self._draft.version:
            return message, ""
        verdicts = choice.verdicts()
        message, node, total = "", nominated, len(self._draft.rooms)
        if total:
            why = preemption.ineligible(pod, self._draft, verdicts)
            if not why:
                found, why = preemption.find(pod, self._draft, choice, verdicts, self._budgets)
                node = found.node if found is not None else ""
                self.actions += _evictions(pod, found, self._now) if found is not None else ()
            message = f" preemption: {why}" if why else ""
        message = _summed_up(verdicts, total) + message
        if not node:
            self._refused[pod.signature] = (self._draft.version, message)
        return message, node


def _nominated(pod: PodFacts) -> str:
    return str(objects.status(pod.pod).get("nominatedNodeName") or "")


def _is_gated(pod: PodFacts) -> bool:
    return bool(objects.spec(pod.pod).get("schedulingGates"))


def _binding(pod: Object, node: str, now: datetime) -> list[ApiAction]:
    namespace, name = objects.key(pod)
    scheduled = conditions.carried(
        objects.condition(pod, "PodScheduled"),
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": objects.timestamp(now)},
    )
    others = conditions.without(objects.status(pod).get("conditions") or (), "PodScheduled")
    status: dict[str, Any] = {"conditions": [*others, scheduled]}
    if objects.status(pod).get("nominatedNodeName"):
        status["nominatedNodeName"] = None
    text = f"Successfully assigned {namespace}/{name} to {node}"
    return [
        Patch(kinds.POD, namespace, name, {"spec": {"nodeName": node}, "status": status}, "binding"),
        RecordEvent(pod, "Normal", "Scheduled", text, NAME),
    ]


def _evictions(pod: PodFacts, candidate: preemption.Candidate, now: datetime) -> list[ApiAction]:
    """Return the end of the victims that are not on their way out already; each is told why before."""
    scheduler = objects.spec(pod.pod).get("schedulerName") or NAME
    message = f"{scheduler}: preempting to accommodate a higher priority pod"
    target = conditions.new("DisruptionTarget", "True", preemption.REASON, message, now)
    found: list[ApiAction] = []
    for each in candidate.victims:
        victim = each.pod
        if objects.is_deleting(victim):
            continue
        namespace, name = objects.key(victim)
        told = conditions.refreshed(objects.status(victim).get("conditions") or (), target)
        text = f"Preempted by pod {pod.uid} on node {candidate.node}"
        found += [
            Patch(kinds.POD, namespace, name, {"status": {"conditions": told}}, "status"),
            Delete(kinds.POD, namespace, name, each.uid),
            RecordEvent(victim, "Normal", "Preempted", text, NAME),
        ]
    return found


def _summed_up(verdicts: Mapping[str, Verdict], nodes: int) -> str:
    if nodes == 0:
        return "no nodes available to schedule pods"
    counts = Counter(reason for verdict in verdicts.values() for reason in verdict.reasons)
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{nodes} nodes are available: {reasons}."


def _unschedulable(pod: Object, message: str, node: str, now: datetime) -> list[ApiAction]:
    status = _held(pod, "Unschedulable", message, now)
    changed = status != objects.status(pod)
    if node:
        status["nominatedNodeName"] = node
    else:
        status.pop("nominatedNodeName", None)
    found = _told(pod, status)
    if changed:
        found.append(RecordEvent(pod, "Warning", "FailedScheduling", message, NAME))
    return found


def _held(pod: Object, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """Return the status with the PodScheduled condition saying so."""
    status = objects.status(pod)
    wanted = conditions.new("PodScheduled", "False", reason, message, now)
    if objects.generation(pod):
        wanted["observedGeneration"] = objects.generation(pod)
    return {**status, "conditions": conditions.refreshed(status.get("conditions") or (), wanted)}


def _told(pod: Object, status: dict[str, Any]) -> list[ApiAction]:
    """Return the write of the status, none if it says so already."""
    if status == objects.status(pod):
        return []
    return [Update(kinds.POD, {**pod, "status": status}, "status")]
