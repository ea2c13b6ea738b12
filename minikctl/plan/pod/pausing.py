"""Containers that somebody has paused in the engine (``docker pause``): told, and not ready meanwhile.

A kubelet has no such state: its runtimes report a paused container as running, so it stays ready until a
probe fails.  Here the engine says so at once, and nobody is led to who cannot answer.  What probes find out
still counts: a liveness probe that fails has the container started anew.
"""

from __future__ import annotations

from minikctl.model.containers import Container
from minikctl.plan.pod import events
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import PodState

PAUSED, RESUMED = "Paused", "Resumed"


def is_paused(container: Container) -> bool:
    """Tell whether the container's processes are held."""
    return container.status == "paused"


def tokens(container_id: str) -> tuple[str, str]:
    """Return the tokens of what is told when the container is paused, and when it goes on."""
    return f"paused/{container_id}", f"resumed/{container_id}"


def report(state: PodState, draft: Draft) -> None:
    """Report each container that is paused, and each that has gone on."""
    for one in state.all:
        if one.running is None:
            continue
        path = events.container_path(one.name, one.role)
        paused, resumed = tokens(one.running.id)
        if is_paused(one.running):
            way = f"it does nothing until `docker unpause {one.running.name}`"
            message = f"Container {one.name} is paused in the engine: {way}"
            draft.report(paused, events.warning(state.pod, PAUSED, message, path))
        elif paused in draft.view.reported:
            message = f"Container {one.name} goes on"
            draft.report(resumed, events.normal(state.pod, RESUMED, message, path))
