"""The next step of a Job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan import claims, conditions, readiness, replicaset
from minikctl.plan.job import ending, indexes, policies, template
from minikctl.plan.job.tally import (
    FINALIZER,
    Tally,
    View,
    is_suspended,
    is_tracked,
    only_failed_are_replaced,
)

COMPONENT = template.COMPONENT
BURST = 500
"""So many pods at most are created or deleted by one plan."""
MOST_UNCOUNTED = 500
"""So many pods at most are recorded as ended but not counted yet."""


def desired(view: View, now: datetime) -> Plan:
    """Return the pods to create, delete or let go of, and the status."""
    job = view.object
    if not job:
        return Plan(tuple(_released(pod) for pod in view.pods if is_tracked(pod)))
    if ending.is_finished(job):
        return _after_the_end(view, now)
    found = claims.claim(job, selectors.of(objects.spec(job).get("selector")), view.pods, kinds.POD)
    if found.actions:
        return Plan(tuple(_with_finalizer(each, job) for each in found.actions))
    if objects.is_deleting(job):
        return Plan(tuple(_released(pod) for pod in found.owned if is_tracked(pod)))
    return _Step(View(job, found.owned, view.taken), now).plan()


def failed(view: View, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG001
    """Return what tells the user that a pod was refused."""
    if not isinstance(action, Create | Delete):
        return Plan()
    what = (
        ("FailedCreate", "Error creating: ")
        if isinstance(action, Create)
        else ("FailedDelete", "Error deleting: ")
    )
    return Plan((RecordEvent(view.object, "Warning", what[0], f"{what[1]}{message}", COMPONENT),))


def _after_the_end(view: View, now: datetime) -> Plan:
    """Return the removal of a finished Job once its time is up; nothing else happens to it."""
    job = view.object
    left = [pod for pod in view.pods if is_tracked(pod) and claims.is_owned(pod, job)]
    if left:
        return Plan(tuple(_released(pod) for pod in left))
    wait = None if objects.is_deleting(job) else ending.removed_in(job, now)
    if wait != 0:
        return Plan(wake_in=wait)
    return Plan((Delete(kinds.JOB, *objects.key(job), objects.uid(job), propagation="Foreground"),))


def _released(pod: Object) -> ApiAction:
    """Return the removal of the finalizer from the pod as it was seen."""
    kept = [each for each in objects.meta(pod).get("finalizers") or () if each != FINALIZER]
    metadata = {"finalizers": kept, "resourceVersion": objects.resource_version(pod)}
    return Patch(kinds.POD, *objects.key(pod), {"metadata": metadata})


def _with_finalizer(claim: Update, job: Object) -> Update:
    """Return the adoption with the finalizer put on, the release with it taken off."""
    pod = claim.object
    found = [each for each in objects.meta(pod).get("finalizers") or () if each != FINALIZER]
    if claims.is_owned(pod, job):
        found.append(FINALIZER)
    return Update(claim.kind, {**pod, "metadata": {**objects.meta(pod), "finalizers": found}})


class _Step:
    """One plan of a Job that is not over."""

    def __init__(self, view: View, now: datetime) -> None:
        self._view = view
        self._job = view.object
        self._now = now
        self._tally = Tally(self._job, view.pods)
        self._actions: list[ApiAction] = []
        self._waits: list[float] = []
        self._active = len(self._tally.active)
        self._ready = self._tally.ready
        self._terminating = self._tally.terminating
        self._kept = self._tally.kept_for_successor()

    def plan(self) -> Plan:
        """Return the plan: what is found out is written before pods are let go of."""
        verdict = ending.verdict(self._tally, self._now)
        if verdict is not None:
            self._delete(self._tally.active)
        else:
            self._manage()
            if self._is_complete():
                text = "Reached expected number of succeeded pods"
                verdict = ending.new(ending.CRITERIA_MET, "CompletionsReached", text, self._now)
        status = self._status(verdict)
        deadline = ending.deadline_in({**self._job, "status": status}, self._now)
        if verdict is None and deadline:
            self._waits.append(deadline)
        if verdict is not None and self._is_over(verdict, status):
            status = self._ended(status, verdict)
        elif status == objects.status(self._job):
            self._actions += [_released(pod) for pod in self._tally.tracked if self._may_go(pod, verdict)]
        return Plan(tuple(self._actions), status, min(self._waits, default=None))

    # --- pods ---------------------------------------------------------------------------------------------

    def _manage(self) -> None:
        """Have as many pods as are wanted now."""
        tally = self._tally
        if is_suspended(self._job):
            self._withdraw(tally.active)
            return
        wanted = self._wanted()
        surplus = self._surplus(max(len(tally.active) - wanted, 0))[:BURST]
        if surplus:
            self._withdraw(surplus)
            return
        held = tally.terminating if only_failed_are_replaced(self._job) else 0
        missing = min(wanted - held - len(tally.active), BURST)
        if missing > 0:
            self._create(missing)

    def _wanted(self) -> int:
        tally = self._tally
        given = tally.spec.get("parallelism")
        parallelism = 1 if given is None else int(given)
        if tally.completions is None:
            return len(tally.active) if tally.succeeded else parallelism
        left: int = tally.completions - tally.succeeded
        return max(min(left, parallelism), 0)

    def _surplus(self, count: int) -> list[Object]:
        """Return the pods to remove: with a wrong or a doubled index, and those that can best be spared."""
        ranked = replicaset.ranked(tuple(self._tally.active), self._now)
        if not self._tally.by_index:
            return ranked[:count]
        kept: dict[int | None, Object] = {}
        wrong: list[Object] = []
        for pod in reversed(ranked):
            index = indexes.of(pod)
            if not self._tally.has_valid_index(pod) or index in kept:
                wrong.append(pod)
            else:
                kept[index] = pod
        rest = [pod for pod in ranked if not any(pod is each for each in wrong)]
        return wrong + rest[: max(count - len(wrong), 0)]

    def _create(self, missing: int) -> None:
        tally = self._tally
        if tally.per_index is None:
            wait = tally.delay(self._now)
            if wait > 0:
                self._waits.append(wait)
                return
        if not tally.by_index:
            self._actions += template.creations(self._view, missing)
            self._active += missing
            return
        for index in self._free_indexes(missing):
            before = self._kept.get(index)
            wait = tally.delay_of(before, self._now)
            if wait > 0:
                self._waits.append(wait)
                continue
            per_index = tally.per_index is not None
            self._actions += template.creation(self._view, index, before, per_index=per_index)
            self._active += 1

    def _free_indexes(self, count: int) -> list[int]:
        tally = self._tally
        busy = tally.active
        if only_failed_are_replaced(self._job):
            busy = [*busy, *(pod for pod in tally.pods if readiness.is_terminating(pod))]
        taken = {index for pod in busy if (index := indexes.of(pod)) is not None}
        return indexes.first_free(
            taken | tally.done | (tally.lost or set()), count, int(tally.completions or 0)
        )

    def _withdraw(self, pods: list[Object]) -> None:
        """Delete pods that are not wanted, which is no failure of theirs."""
        self._actions += [_released(pod) for pod in pods if is_tracked(pod)]
        self._delete(pods)

    def _delete(self, pods: list[Object]) -> None:
        for pod in pods:
            name = objects.name(pod)
            self._actions.append(Delete(kinds.POD, *objects.key(pod), objects.uid(pod)))
            told = f"Deleted pod: {name}"
            self._actions.append(RecordEvent(self._job, "Normal", "SuccessfulDelete", told, COMPONENT))
        self._active -= len(pods)
        self._ready -= sum(map(readiness.is_ready, pods))
        self._terminating += len(pods)

    # --- status -------------------------------------------------------------------------------------------

    def _is_complete(self) -> bool:
        tally = self._tally
        enough = tally.succeeded > 0 if tally.completions is None else tally.succeeded >= tally.completions
        return enough and self._active == 0

    def _status(self, verdict: dict[str, Any] | None) -> dict[str, Any]:
        """Return the status with what is known now, the interim condition included."""
        tally = self._tally
        status = {name: value for name, value in tally.status.items() if value or name == "ready"}
        if not status.get("startTime") and not is_suspended(self._job):
            status["startTime"] = objects.timestamp(self._now)
        self._suspension(status)
        status |= {"ready": self._ready, "terminating": self._terminating}
        status["uncountedTerminatedPods"] = self._uncounted(verdict)
        if self._active:
            status["active"] = self._active
        else:
            status.pop("active", None)
        if tally.by_index:
            status["succeeded"] = len(tally.done)
            status["completedIndexes"] = indexes.render(tally.done)
            if tally.lost is not None:
                status["failedIndexes"] = indexes.render(tally.lost)
        if verdict is not None:
            found = status.get("conditions") or ()
            status["conditions"] = list(found) if verdict in found else [*found, verdict]
        dropped = [name for name in ("succeeded", "completedIndexes") if not status.get(name)]
        return {name: value for name, value in status.items() if name not in dropped}

    def _suspension(self, status: dict[str, Any]) -> None:
        """Tell in the conditions whether the Job is suspended; when it goes on, its time begins anew."""
        found = list(status.get("conditions") or ())
        present = conditions.find(found, "Suspended") or {}
        if is_suspended(self._job) == (present.get("status") == "True"):
            return
        word = "suspended" if is_suspended(self._job) else "resumed"
        wanted = ending.new("Suspended", f"Job{word.capitalize()}", f"Job {word}", self._now)
        if not is_suspended(self._job):
            wanted["status"] = "False"
            status["startTime"] = objects.timestamp(self._now)
        self._actions.append(RecordEvent(self._job, "Normal", word.capitalize(), f"Job {word}", COMPONENT))
        status["conditions"] = conditions.refreshed(found, wanted)

    def _uncounted(self, verdict: dict[str, Any] | None) -> dict[str, list[str]]:
        """Return the pods that are recorded as ended: those known, and those found now."""
        tally = self._tally
        found = {name: list(uids) for name, uids in tally.uncounted.items()}
        known = {uid for uids in found.values() for uid in uids}
        for pod in tally.tracked:
            uid = objects.uid(pod)
            if len(known) >= MOST_UNCOUNTED:
                break
            if uid in known or not self._ended_for_good(pod, verdict):
                continue
            if readiness.phase(pod) == "Succeeded":
                if not tally.by_index:
                    found["succeeded"].append(uid)
                    known.add(uid)
            elif self._counts_as_failed(pod, verdict):
                found["failed"].append(uid)
                known.add(uid)
        return {name: uids for name, uids in found.items() if uids}

    def _counts_as_failed(self, pod: Object, verdict: dict[str, Any] | None) -> bool:
        """Tell whether an ended pod failed: when the Job fails, all that did not succeed."""
        if not self._tally.has_valid_index(pod):
            return False
        if (
            verdict is not None
            and verdict["type"] == ending.CRITERIA_MET
            and readiness.phase(pod) != "Failed"
        ):
            return False
        return policies.of_failure(self._job, pod).counts

    def _ended_for_good(self, pod: Object, verdict: dict[str, Any] | None) -> bool:
        """Tell whether nothing more is wanted of the pod."""
        if verdict is not None or readiness.phase(pod) == "Succeeded":
            return True
        if not self._tally.is_failed(pod):
            return False
        kept = self._kept.get(indexes.of(pod) or 0) if self._tally.per_index is not None else None
        return kept is None or objects.uid(kept) != objects.uid(pod)

    def _may_go(self, pod: Object, verdict: dict[str, Any] | None) -> bool:
        """Tell whether the stored status has all that is to be known of the pod."""
        if not self._ended_for_good(pod, verdict):
            return False
        uid = objects.uid(pod)
        if any(uid in uids for uids in self._tally.uncounted.values()):
            return True
        if readiness.phase(pod) == "Succeeded":
            return self._tally.by_index
        return not self._counts_as_failed(pod, verdict)

    def _is_over(self, verdict: dict[str, Any], status: dict[str, Any]) -> bool:
        """Tell whether the interim condition is on record and no pod is left to wait for."""
        told = verdict in (objects.status(self._job).get("conditions") or ())
        left = self._active or self._terminating or self._tally.tracked
        return told and not left and not status["uncountedTerminatedPods"]

    def _ended(self, status: dict[str, Any], verdict: dict[str, Any]) -> dict[str, Any]:
        """Return the status with the condition that is for good, and tell in an Event."""
        reason, message = str(verdict.get("reason") or ""), str(verdict.get("message") or "")
        kind = ending.COMPLETE if verdict["type"] == ending.CRITERIA_MET else ending.FAILED
        told = ("Normal", "Completed", "Job completed")
        found = {
            **status,
            "conditions": [*status["conditions"], ending.new(kind, reason, message, self._now)],
        }
        if kind == ending.COMPLETE:
            found["completionTime"] = objects.timestamp(self._now)
        else:
            told = ("Warning", reason, message)
        self._actions.append(RecordEvent(self._job, *told, COMPONENT))
        return found
