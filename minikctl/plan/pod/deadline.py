"""activeDeadlineSeconds: a pod that may run only for so long."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.plan.pod import events
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import PodState

REASON = "DeadlineExceeded"
MESSAGE = "Pod was active on the node longer than the specified deadline"


def passed(state: PodState, draft: Draft) -> bool:
    """Tell whether the pod's time is over, say so, and if it is not, plan again when it will be."""
    limit = state.spec.get("activeDeadlineSeconds")
    started = objects.parse_time(objects.status(state.pod).get("startTime"))
    if limit is None or started is None:
        return False
    left = int(limit) - (draft.now - started).total_seconds()
    if left > 0:
        draft.wake(left)
        return False
    draft.report("deadline", events.normal(state.pod, REASON, MESSAGE))
    return True
