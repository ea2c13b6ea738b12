"""The planner of pods: what a kubelet would do next, as data."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from minikctl.model import objects
from minikctl.model.actions.api import Plan
from minikctl.plan.pod import admission, deletion, events, lifecycle, status
from minikctl.plan.pod import state as states
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.view import PodView


def desired(view: PodView, now: datetime) -> Plan:
    """Return the actions that bring the pod one step further, its status, and when to look again."""
    if view.node.began is not None and view.node.began > now:
        # The clock was set back: which ends the node has seen itself cannot be told by their times.
        view = dataclasses.replace(view, node=dataclasses.replace(view.node, began=None))
    draft = Draft(view, now)
    if view.pod is None:
        deletion.orphan(view, draft)
        return Plan(tuple(draft.actions), None, draft.wake_in)
    state = states.of(view, view.pod)
    if objects.is_deleting(view.pod):
        deletion.plan(state, draft)
        # Once its containers are removed, what the status says of them is all that is known.
        complete = all(app.latest is not None or not app.stored.get("containerID") for app in state.all)
        shown = status.of(state, draft) if complete else None
    elif refused := admission.refusal(view, view.pod):
        draft.report("admission", events.warning(view.pod, refused.reason, refused.message))
        shown = status.refused(state, draft, refused)
    elif admission.was_refused(view, view.pod):
        lifecycle.plan(state, draft)
        shown = None
    else:
        lifecycle.plan(state, draft)
        shown = status.of(state, draft)
    return Plan(tuple(draft.actions), shown, draft.wake_in)
