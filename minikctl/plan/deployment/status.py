"""What a Deployment says of itself: counts, Available, Progressing and the failures of its ReplicaSets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from minikctl.model import objects
from minikctl.plan import conditions
from minikctl.plan.deployment import parts
from minikctl.plan.deployment.draft import PROGRESSING, Draft, progressing
from minikctl.plan.deployment.parts import Deployment

AVAILABLE = "Available"
FAILURE = "ReplicaFailure"
TIMED_OUT = "ProgressDeadlineExceeded"
DONE = "NewReplicaSetAvailable"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

Status = dict[str, Any]


def is_complete(deployment: Deployment, status: Status) -> bool:
    """Tell whether all wanted pods are new and available, and no old one is left."""
    wanted = deployment.replicas
    counts = (status.get(name) or 0 for name in ("updatedReplicas", "replicas", "availableReplicas"))
    observed = int(status.get("observedGeneration") or 0)
    return all(count == wanted for count in counts) and observed >= objects.generation(deployment.object)


def pause_or_resume(draft: Draft) -> None:
    """Note that the rollout was paused or resumed, so that the time between is not held against it."""
    deployment = draft.deployment
    current = conditions.find(draft.conditions, PROGRESSING)
    reason = current.get("reason") if current else None
    if deployment.deadline is None or reason == TIMED_OUT:
        return
    if deployment.paused and reason != PAUSED:
        draft.progress("Unknown", PAUSED, "Deployment is paused")
    elif not deployment.paused and reason == PAUSED:
        draft.progress("Unknown", RESUMED, "Deployment is resumed")


def counted(draft: Draft) -> Status:
    """Return the status with its counts and Available, from the statuses of the ReplicaSets."""
    deployment = draft.deployment
    available = parts.total_counted(draft.all, "availableReplicas")
    counts = {
        "observedGeneration": objects.generation(deployment.object),
        "replicas": parts.total_counted(draft.all, "replicas"),
        "updatedReplicas": draft.new.counted("replicas") if draft.new else 0,
        "readyReplicas": parts.total_counted(draft.all, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(parts.total(draft.all) - available, 0),
        "terminatingReplicas": parts.total_counted(draft.all, "terminatingReplicas"),
    }
    status: Status = {name: count for name, count in counts.items() if count}
    if deployment.collisions is not None:
        status["collisionCount"] = deployment.collisions
    status["conditions"] = conditions.put(draft.conditions, _availability(deployment, available, draft.now))
    return status


def of_rollout(draft: Draft) -> Status:
    """Return the status with the progress of the rollout."""
    status = counted(draft)
    found = list(status["conditions"])
    if draft.deployment.deadline is None:
        found = conditions.without(found, PROGRESSING)
    elif not _was_done(draft, status):
        found = _progress(draft, status, found)
    failure = _failure(draft)
    found = conditions.put(found, failure) if failure else conditions.without(found, FAILURE)
    return {**status, "conditions": found}


def wake_in(deployment: Deployment, status: Status, now: datetime) -> float | None:
    """Return when to check whether the rollout has run out of time; None if it cannot."""
    deadline = _deadline(deployment, status)
    if deadline is None or is_complete(deployment, status):
        return None
    return max((deadline - now).total_seconds(), 0.0) + 1.0


def _availability(deployment: Deployment, available: int, now: datetime) -> dict[str, Any]:
    if available >= deployment.replicas - deployment.max_unavailable:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        status = "True"
    else:
        reason, message = "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        status = "False"
    condition = conditions.new(AVAILABLE, status, reason, message, now)
    return {**condition, "lastUpdateTime": condition["lastTransitionTime"]}


def _was_done(draft: Draft, status: Status) -> bool:
    """Tell whether the latest rollout ended before: what happens to its pods later is no rollout."""
    current = conditions.find(draft.conditions, PROGRESSING)
    same = (status.get("replicas") or 0) == (status.get("updatedReplicas") or 0)
    return same and current is not None and current.get("reason") == DONE


def _progress(draft: Draft, status: Status, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    deployment, now = draft.deployment, draft.now
    subject = f'ReplicaSet "{draft.new.name}"' if draft.new else f'Deployment "{deployment.name}"'
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return conditions.put(found, progressing("True", DONE, message, now))
    if _moved(deployment.status, status):
        wanted = progressing("True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        current = conditions.find(found, PROGRESSING)
        return [*conditions.without(found, PROGRESSING), conditions.carried(current, wanted)]
    deadline = _deadline(deployment, {"conditions": found})
    if deadline is not None and deadline < now:
        message = f"{subject} has timed out progressing."
        return conditions.put(found, progressing("False", TIMED_OUT, message, now))
    return found


def _moved(before: Status, after: Status) -> bool:
    def old_pods(status: Status) -> int:
        return int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)

    more = any(
        int(after.get(name) or 0) > int(before.get(name) or 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return more or old_pods(after) < old_pods(before)


def _deadline(deployment: Deployment, status: Status) -> datetime | None:
    """Return when the rollout will have failed unless it moves; None if it ended or has no limit."""
    current = conditions.find(status.get("conditions") or (), PROGRESSING)
    if deployment.deadline is None or current is None or current.get("reason") in (DONE, TIMED_OUT):
        return None
    updated = objects.parse_time(current.get("lastUpdateTime"))
    return updated + timedelta(seconds=deployment.deadline) if updated else None


def _failure(draft: Draft) -> dict[str, Any] | None:
    """Return the failure of a ReplicaSet, the new one's first, as a condition of the Deployment."""
    first = [draft.new] if draft.new else []
    for each in [*first, *draft.old]:
        found = conditions.find(objects.status(each.object).get("conditions") or (), FAILURE)
        if found is not None:
            return {**found, "lastUpdateTime": found.get("lastTransitionTime")}
    return None
