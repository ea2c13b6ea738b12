"""The plan of one autoscaler: the new size of its target, and its status."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.actions.api import ApiAction, Patch, Plan, RecordEvent
from minikctl.plan import conditions
from minikctl.plan.autoscaling import behavior, measuring
from minikctl.plan.autoscaling.view import Target, View

COMPONENT = "horizontal-pod-autoscaler"
PERIOD_SECONDS = 15.0
RECOMMENDED = "recommended"
CHANGED = "changed"


def desired(view: View, now: datetime) -> Plan:
    """Return the change of the target's size, if there is to be one, and the status.

    The notes tell what was recommended before anything slowed it down, and by how much the size is changed.
    """
    return _Step(view, now).plan()


def failed(view: View, action: object, message: str, now: datetime) -> Plan:
    """Return what tells the user that the new size was refused."""
    assert isinstance(action, Patch)
    assert view.target is not None
    found = list(objects.status(view.object).get("conditions") or ())
    text = f"the HPA controller was unable to update the target scale: {message}"
    told = conditions.refreshed(found, conditions.new("AbleToScale", "False", "FailedUpdateScale", text, now))
    size = objects.spec(action.body).get("replicas")
    _, reason = _Step(view, now).size(view.target)
    event = f"New size: {size}; reason: {reason}; error: {message}"
    return Plan(
        (RecordEvent(view.object, "Warning", "FailedRescale", event, COMPONENT),),
        {**objects.status(view.object), "conditions": told},
    )


class _Step:
    def __init__(self, view: View, now: datetime) -> None:
        self._view = view
        self._spec = view.spec
        self._now = now
        self._actions: list[ApiAction] = []
        self._status: dict[str, Any] = dict(objects.status(view.object))
        self._notes: list[str] = []

    def plan(self) -> Plan:
        """Return the plan."""
        target = self._view.target
        if target is None:
            text = f"the HPA controller was unable to get the target's current scale: {self._view.trouble}"
            if self._say("AbleToScale", "False", "FailedGetScale", text):
                self._tell("Warning", "FailedGetScale", self._view.trouble)
            return self._done()
        text = "the HPA controller was able to get the target's current scale"
        self._say("AbleToScale", "True", "SucceededGetScale", text)
        self._status["currentReplicas"] = target.present
        if not target.has_selector:
            text = "the HPA target's scale is missing a selector"
            if self._say("ScalingActive", "False", "InvalidSelector", text):
                self._tell("Warning", "SelectorRequired", "selector is required")
            return self._done()
        size, reason = self.size(target)
        if size is not None:
            self._scale(target, size, reason)
        return self._done()

    def size(self, target: Target) -> tuple[int | None, str]:
        """Return the size that the target is to have now and why; None if nothing can be said."""
        least = self._spec.get("minReplicas")
        least = 1 if least is None else int(least)
        most = int(self._spec.get("maxReplicas") or 1)
        if target.wanted == 0 and least != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            self._say("ScalingActive", "False", "ScalingDisabled", text)
            return 0, ""
        if target.wanted > most:
            return most, "Current number of replicas above Spec.MaxReplicas"
        if target.wanted < least:
            return least, "Current number of replicas below Spec.MinReplicas"
        proposal = self._proposal(target)
        if proposal is None:
            return None, ""
        self._notes.append(f"{RECOMMENDED} {proposal.replicas}")
        found = behavior.limit(self._spec, target.wanted, proposal.replicas, self._view.past, self._now)
        self._say("AbleToScale", "True", *found.able)
        self._say("ScalingLimited", "True" if found.is_limited else "False", *found.limit)
        grows = proposal.replicas > target.wanted
        return found.replicas, f"{proposal.name} above target" if grows else "All metrics below target"

    def _proposal(self, target: Target) -> measuring.Proposal | None:
        """Return the largest of what the metrics call for; what is unknown never makes it smaller."""
        found: list[measuring.Proposal] = []
        faults: list[measuring.MetricError] = []
        for metric in self._spec.get("metrics") or ():
            try:
                found.append(measuring.propose(self._view, metric, self._now))
            except measuring.MetricError as fault:
                faults.append(fault)
        self._status["currentMetrics"] = [each.current for each in found] or None
        best = max(found, key=lambda each: each.replicas, default=None)
        if best is None or (faults and best.replicas < target.wanted):
            self._unknown(faults, len(self._spec.get("metrics") or ()))
            return None
        text = f"the HPA was able to successfully calculate a replica count from {best.name}"
        self._say("ScalingActive", "True", "ValidMetricFound", text)
        return best

    def _unknown(self, faults: list[measuring.MetricError], total: int) -> None:
        first = faults[0] if faults else measuring.MetricError("InvalidMetricSourceType", "no metrics")
        text = f"the HPA was unable to compute the replica count: {first}"
        if not self._say("ScalingActive", "False", first.reason, text):
            return
        for fault in faults:
            self._tell("Warning", fault.reason, str(fault))
        summary = f"invalid metrics ({len(faults)} invalid out of {total}), first error is: {first}"
        self._tell("Warning", "FailedComputeMetricsReplicas", summary)

    def _scale(self, target: Target, size: int, reason: str) -> None:
        self._status["desiredReplicas"] = size
        if size == target.wanted:
            return
        body: Any = size
        for name in reversed(target.kind.scale.replicas):
            body = {name: body}
        self._actions.insert(0, Patch(target.kind, target.namespace, target.name, body))
        self._tell("Normal", "SuccessfulRescale", f"New size: {size}; reason: {reason}")
        text = f"the HPA controller was able to update the target scale to {size}"
        self._say("AbleToScale", "True", "SucceededRescale", text)
        self._status["lastScaleTime"] = objects.timestamp(self._now)
        self._notes.append(f"{CHANGED} {size - target.wanted}")

    def _say(self, kind: str, status: str, reason: str, message: str) -> bool:
        """Put a condition into the status; return whether it says something new."""
        found = list(self._status.get("conditions") or ())
        wanted = conditions.new(kind, status, reason, message, self._now)
        self._status["conditions"] = conditions.refreshed(found, wanted)
        return bool(self._status["conditions"] != found)

    def _tell(self, kind: str, reason: str, message: str) -> None:
        self._actions.append(RecordEvent(self._view.object, kind, reason, message, COMPONENT))

    def _done(self) -> Plan:
        self._status.setdefault("desiredReplicas", 0)
        status = {name: value for name, value in self._status.items() if value is not None}
        generation = objects.generation(self._view.object)
        if generation:
            status["observedGeneration"] = generation
        return Plan(tuple(self._actions), status, PERIOD_SECONDS, tuple(self._notes))
