"""When a Job is over, and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import conditions, readiness
from minikctl.plan.job import policies
from minikctl.plan.job.tally import Tally, is_suspended

CRITERIA_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"
COMPLETE, FAILED = "Complete", "Failed"


def is_true(job: Object, kind: str) -> bool:
    """Tell whether the condition holds."""
    return (objects.condition(job, kind) or {}).get("status") == "True"


def is_finished(job: Object) -> bool:
    """Tell whether the Job has succeeded or failed for good."""
    return is_true(job, COMPLETE) or is_true(job, FAILED)


def new(kind: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    """Return a Job's condition, which unlike others tells when it was looked at."""
    return {**conditions.new(kind, "True", reason, message, now), "lastProbeTime": objects.timestamp(now)}


def verdict(tally: Tally, now: datetime) -> dict[str, Any] | None:
    """Return the interim condition by which the Job ends, stored or new; None while it goes on."""
    for kind in (CRITERIA_MET, FAILURE_TARGET):
        if is_true(tally.job, kind):
            return objects.condition(tally.job, kind)
    failure = _failure(tally, now)
    if failure is not None:
        return new(FAILURE_TARGET, *failure, now)
    met = policies.met_success(tally.job, tally.done)
    return new(CRITERIA_MET, "SuccessPolicy", met, now) if met else None


def _failure(tally: Tally, now: datetime) -> tuple[str, str] | None:
    """Return reason and message of a failure of the whole Job."""
    spec = tally.spec
    message = _forbidden(tally)
    if message:
        return "PodFailurePolicy", message
    limit = spec.get("backoffLimit")
    if tally.failed > (6 if limit is None else limit) or _restarted_too_often(tally):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    if deadline_in(tally.job, now) == 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    lost = len(tally.lost or ())
    if spec.get("maxFailedIndexes") is not None and lost > int(spec["maxFailedIndexes"]):
        text = "Job has exceeded the specified maximal number of failed indexes"
        return "MaxFailedIndexesExceeded", text
    if lost and lost + len(tally.done) >= int(tally.completions or 0):
        return "FailedIndexes", "Job has failed indexes"
    return None


def _forbidden(tally: Tally) -> str:
    """Return why a failed pod fails the whole Job, "" if none does."""
    for pod in tally.pods:
        if tally.is_failed(pod):
            outcome = policies.of_failure(tally.job, pod)
            if outcome.action == "FailJob":
                return outcome.message
    return ""


def _restarted_too_often(tally: Tally) -> bool:
    """Tell whether the restarts of running pods used up the limit: where containers restart in place."""
    template = (tally.spec.get("template") or {}).get("spec") or {}
    if template.get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        int(each.get("restartCount") or 0)
        for pod in tally.pods
        if readiness.phase(pod) in ("Running", "Pending")
        for name in ("initContainerStatuses", "containerStatuses")
        for each in objects.status(pod).get(name) or ()
    )
    given = tally.spec.get("backoffLimit")
    limit = 6 if given is None else int(given)
    return restarts >= max(limit, 1)


def deadline_in(job: Object, now: datetime) -> float | None:
    """Return in how many seconds the Job must be over, 0 if it should have been; None without a deadline."""
    seconds = objects.spec(job).get("activeDeadlineSeconds")
    started = objects.parse_time(objects.status(job).get("startTime"))
    if seconds is None or started is None or is_suspended(job) or is_true(job, "Suspended"):
        return None
    return max(0.0, (started + timedelta(seconds=int(seconds)) - now).total_seconds())


def removed_in(job: Object, now: datetime) -> float | None:
    """Return in how many seconds a finished Job is to be removed; None if it is to stay."""
    seconds = objects.spec(job).get("ttlSecondsAfterFinished")
    if seconds is None:
        return None
    for kind in (COMPLETE, FAILED):
        ended = objects.parse_time((objects.condition(job, kind) or {}).get("lastTransitionTime"))
        if ended is not None and is_true(job, kind):
            return max(0.0, (ended + timedelta(seconds=int(seconds)) - now).total_seconds())
    return None
