"""The end of a pod that was deleted, and of containers whose pod the API does not know."""

from __future__ import annotations

from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.actions.node import (
    FinishDeletion,
    RemoveContainer,
    RemovePodDir,
    StopContainer,
    StopProbe,
)
from minikctl.model.containers import Container
from minikctl.plan.pod import checks, ending, lifecycle, names
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import PodState, runs
from minikctl.plan.pod.view import PodView

ORPHAN_GRACE = 1
"""Nobody waits for a pod that was deleted by force: it gets a moment, not its grace period."""
_MAKING = ("make", "run", "sandbox")
_IN_THE_WAY = (*_MAKING, "attach", "volume", "remove", "stop", "directory")


def plan(state: PodState, draft: Draft) -> None:
    """Add the next step of a graceful deletion, down to the API's own deletion."""
    lifecycle.probes(state, draft)
    asked, left = _grace(state, draft)
    if ending.stop_all(state, draft, asked, left) and clear(draft.view, draft):
        metadata = objects.meta(state.pod)
        if metadata.get("finalizers") and metadata.get("deletionGracePeriodSeconds") == 0:
            return
        view = draft.view
        delete = api.Delete(kinds.POD, view.namespace, view.name, view.uid, grace_seconds=0)
        draft.add(FinishDeletion(delete))


def _grace(state: PodState, draft: Draft) -> tuple[int, int]:
    """Return the grace period that was asked for and what is left of it, at least a second for SIGTERM."""
    metadata = objects.meta(state.pod)
    found = metadata.get("deletionGracePeriodSeconds")
    asked = state.grace if found is None else int(found)
    until = objects.parse_time(metadata.get("deletionTimestamp"))
    left = asked if until is None else int((until - draft.now).total_seconds())
    return asked, min(max(left, 1), max(asked, 1))


def clear(view: PodView, draft: Draft) -> bool:
    """Add the removal of containers, then of directories; return True when nothing is left on the node."""
    if any(key[0] in _MAKING for key in view.busy):
        return False
    for container in view.containers:
        draft.add(RemoveContainer(container.id, sandbox=_is_sandbox(container)))
    if view.containers or any(key[0] in _IN_THE_WAY for key in view.busy):
        return False
    if view.has_directory:
        paths = (names.pod_dir(view.node, view.uid), names.memory_dir(view.node, view.uid))
        draft.add(RemovePodDir(tuple(path for path in paths if path)))
        return False
    return True


def orphan(view: PodView, draft: Draft) -> None:
    """Add the next step of taking away what is left of a pod that the API does not know."""
    for container_id, kind in view.probes:
        for known in checks.KINDS:
            if known == kind:
                draft.add(StopProbe(container_id, known))
    alive = [c for c in view.containers if runs(c) and not _is_sandbox(c)]
    for container in alive:
        name = container.labels.get(names.CONTAINER, "")
        draft.add(StopContainer(name, container.id, ORPHAN_GRACE, ORPHAN_GRACE))
    if not alive:
        clear(view, draft)


def _is_sandbox(container: Container) -> bool:
    return container.labels.get(names.ROLE) == names.PAUSE_ROLE
