"""The pods of a Job, sorted by what has become of them and counted with those that the status counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.job import backoff, indexes, policies

FINALIZER = "batch.kubernetes.io/job-tracking"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


@dataclass(frozen=True)
class View:
    """A Job and its pods; ``taken`` are all pod names of the namespace that begin like a child's.

    Without a Job, the pods are those that it left behind.
    """

    object: Object
    pods: tuple[Object, ...] = ()
    taken: frozenset[str] = frozenset()


def is_indexed(job: Object) -> bool:
    """Tell whether each pod does one numbered part of the work."""
    return objects.spec(job).get("completionMode") == "Indexed"


def is_suspended(job: Object) -> bool:
    """Tell whether the Job is to have no pods for now."""
    return bool(objects.spec(job).get("suspend"))


def is_tracked(pod: Object) -> bool:
    """Tell whether the pod waits to be counted."""
    return FINALIZER in (objects.meta(pod).get("finalizers") or ())


def only_failed_are_replaced(job: Object) -> bool:
    """Tell whether a pod on its way out still counts as running: it is replaced only when it has ended."""
    return objects.spec(job).get("podReplacementPolicy") == "Failed"


def number(pod: Object, annotation: str) -> int:
    """Return a count that an annotation holds, 0 if it is none."""
    text = objects.annotations(pod).get(annotation, "")
    return int(text) if text.isdigit() else 0


class Tally:
    """All counts that a plan is made from; ``status`` is the stored one with what is settled moved on."""

    def __init__(self, job: Object, pods: tuple[Object, ...]) -> None:
        self.job = job
        self.pods = pods
        self.spec = objects.spec(job)
        self.completions: int | None = self.spec.get("completions")
        self.by_index = is_indexed(job)
        self.per_index: int | None = self.spec.get("backoffLimitPerIndex") if self.by_index else None
        self.active = [pod for pod in pods if readiness.is_active(pod)]
        self.terminating = sum(map(readiness.is_terminating, pods))
        self.ready = sum(map(readiness.is_ready, self.active))
        self.tracked = [pod for pod in pods if is_tracked(pod)]
        self._settle(objects.status(job))
        self._count()

    def _settle(self, stored: dict[str, Any]) -> None:
        """Move pods that were let go of from the uncounted to the counted."""
        waiting = {objects.uid(pod) for pod in self.tracked}
        uncounted = stored.get("uncountedTerminatedPods") or {}
        self.status = dict(stored)
        self.uncounted: dict[str, list[str]] = {}
        for name in ("succeeded", "failed"):
            listed = list(uncounted.get(name) or ())
            self.uncounted[name] = [uid for uid in listed if uid in waiting]
            gone = len(listed) - len(self.uncounted[name])
            self.status[name] = int(stored.get(name) or 0) + gone

    def _count(self) -> None:
        known = {uid for uids in self.uncounted.values() for uid in uids}
        fresh = [pod for pod in self.tracked if objects.uid(pod) not in known and self.has_valid_index(pod)]
        done = [pod for pod in fresh if readiness.phase(pod) == "Succeeded"]
        counted = [pod for pod in fresh if self.is_failed(pod) and policies.of_failure(self.job, pod).counts]
        self.failed = self.status["failed"] + len(self.uncounted["failed"]) + len(counted)
        self.succeeded = self.status["succeeded"] + len(self.uncounted["succeeded"]) + len(done)
        self.done_before: set[int] = set()
        self.done: set[int] = set()
        self.lost: set[int] | None = None
        if not self.by_index:
            return
        most = int(self.completions or 0)
        self.done_before = indexes.parse(str(self.status.get("completedIndexes") or ""), most)
        fresh_done = {index for pod in done if (index := indexes.of(pod)) is not None}
        self.done = self.done_before | fresh_done
        self.succeeded = len(self.done)
        if self.per_index is not None:
            stored = indexes.parse(str(self.status.get("failedIndexes") or ""), most)
            ended = {
                index for pod in fresh if self._ends_index(pod) and (index := indexes.of(pod)) is not None
            }
            self.lost = stored | ended

    def has_valid_index(self, pod: Object) -> bool:
        """Tell whether the pod does a part of the work that is still asked for; always, without parts."""
        index = indexes.of(pod)
        return not self.by_index or (index is not None and index < int(self.completions or 0))

    def is_failed(self, pod: Object) -> bool:
        """Tell whether the pod counts as failed: also when deleted, unless only ended pods are replaced."""
        if readiness.phase(pod) == "Failed":
            return True
        return not only_failed_are_replaced(self.job) and readiness.is_terminating(pod)

    def _ends_index(self, pod: Object) -> bool:
        """Tell whether this failure is one too many for its index."""
        if not self.is_failed(pod):
            return False
        outcome = policies.of_failure(self.job, pod)
        if outcome.action == "FailIndex":
            return True
        return outcome.counts and number(pod, FAILURES) >= int(self.per_index or 0)

    def kept_for_successor(self) -> dict[int, Object]:
        """Return by index the failed pods whose failure count a replacement has to take over."""
        if self.per_index is None:
            return {}
        settled = {indexes.of(pod) for pod in self.active} | self.done | (self.lost or set())
        found: dict[int, Object] = {}
        for pod in self.tracked:
            index = indexes.of(pod)
            if index is None or index in settled or not self.has_valid_index(pod) or not self.is_failed(pod):
                continue
            if index not in found or _order(found[index]) <= _order(pod):
                found[index] = pod
        return found

    def delay(self, now: datetime) -> float:
        """Return in how many seconds pods may be created, for Jobs without limits per index."""
        ended = [pod for pod in self.pods if self.has_valid_index(pod)]
        good = [pod for pod in ended if readiness.phase(pod) == "Succeeded"]
        bad = [pod for pod in ended if self.is_failed(pod)]
        return backoff.after(good, bad, now)

    def delay_of(self, pod: Object | None, now: datetime) -> float:
        """Return in how many seconds the failed pod of an index may be replaced."""
        if pod is None:
            return 0.0
        failures = number(pod, FAILURES) + number(pod, IGNORED) + 1
        return backoff.remaining(failures, backoff.finished_at(pod), now)


def _order(pod: Object) -> tuple[int, datetime]:
    return number(pod, FAILURES) + number(pod, IGNORED), backoff.finished_at(pod)
