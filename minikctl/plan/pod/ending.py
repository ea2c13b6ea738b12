"""How containers and pods end: by unfitness, by completion, by running out of time."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.actions.node import AbandonHook, RemoveContainer, RunPreStop, StopContainer
from minikctl.model.containers import Container
from minikctl.plan.pod import checks, events, eviction, names, resizing
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import ContainerState, PodState

TERMINAL = ("Succeeded", "Failed")


def outcome(state: PodState) -> str:
    """Return the phase in which the pod has ended, "" while it goes on."""
    stored = str(objects.status(state.pod).get("phase") or "")
    if stored in TERMINAL:
        return stored
    if any(_over(init) and not init.succeeded for init in state.init if init.role == "init"):
        return "Failed"
    if not state.apps or not all(_over(app) for app in state.apps):
        return ""
    return "Succeeded" if all(app.succeeded for app in state.apps) else "Failed"


def _over(container: ContainerState) -> bool:
    return container.ended is not None and not container.restartable and not container.starting


def wind_down(state: PodState, draft: Draft) -> None:
    """Stop what still runs, the sidecars last and in reverse, and take the sandbox away; logs stay."""
    grace = eviction.grace(state.pod, state.grace)
    if not stop_all(state, draft, grace, grace):
        return
    for pause in state.pauses:
        draft.add(RemoveContainer(pause.id, sandbox=True))


def stop_all(state: PodState, draft: Draft, asked: int, left: int) -> bool:
    """Add the stops of one step of a pod's end; return True when nothing of it runs any more.

    Sidecars are stopped last and in reverse; their stop hooks run at once, as a kubelet runs them.
    """
    starting = [container for container in state.all if container.starting]
    for container in starting:
        if container.hooked:
            draft.add(AbandonHook(container.name))
    if starting:
        return False
    first = [container for container in state.all if container.running and container.role != "sidecar"]
    sidecars = [container for container in reversed(state.sidecars) if container.running]
    for container in sidecars:
        _pre_stop(state, draft, container, asked, left)
    for container in first or sidecars[:1]:
        running = container.running
        if running is not None and ("prestop", running.id, str(asked)) not in draft.view.busy:
            stop(state, draft, container, asked=asked, left=left)
    return not first and not sidecars


def _pre_stop(state: PodState, draft: Draft, container: ContainerState, asked: int, left: int) -> None:
    """Add the stop hook of a sidecar that others are still to be stopped before."""
    hook, running = checks.hook(container.spec, "preStop", state.ip), container.running
    if hook is None or running is None or running.id in draft.view.stopping:
        return
    if not any(
        each.running for each in state.all if each.role != "sidecar" or _after(state, each, container)
    ):
        return
    path = events.container_path(container.name, container.role)
    message = f"Stopping container {container.name}"
    draft.add(RunPreStop(container.name, running.id, hook, left, asked, message, path))


def _after(state: PodState, other: ContainerState, container: ContainerState) -> bool:
    return state.init.index(other) > state.init.index(container)


def stop(
    state: PodState,
    draft: Draft,
    container: ContainerState,
    *,
    message: str = "",
    asked: int | None = None,
    left: int | None = None,
) -> None:
    """Add the stop of a running container; ``left`` is what is left of the grace period ``asked``."""
    running = container.running
    if running is None:
        return
    grace = state.grace if asked is None else asked
    draft.add(
        StopContainer(
            container=container.name,
            container_id=running.id,
            grace_seconds=grace if left is None else left,
            asked=grace,
            pre_stop=checks.hook(container.spec, "preStop", state.ip),
            message=message or f"Stopping container {container.name}",
            field_path=events.container_path(container.name, container.role),
        )
    )


def stop_if_unfit(state: PodState, draft: Draft, container: ContainerState, running: Container) -> None:
    """Stop the running container if its spec changed or if it failed a probe that demands it.

    What it may use is changed while it runs.
    """
    name = container.name
    if running.labels.get(names.SPEC_HASH) != container.hash:
        stop(state, draft, container, message=f"Container {name} definition changed, will be restarted")
        return
    is_resized = bool(resizing.changed(state, container)) and not resizing.refusal(state)
    if is_resized and resizing.needs_restart(state, container):
        stop(state, draft, container, message=f"Container {name} resize requires restart")
        return
    if is_resized:
        resizing.resize(state, draft, container, running)
    for kind in ("startup", "liveness"):
        found = draft.view.probes.get((running.id, kind))
        if found is not None and found.passed is False:
            asked = (container.spec.get(f"{kind}Probe") or {}).get("terminationGracePeriodSeconds")
            message = f"Container {name} failed {kind} probe, will be restarted"
            stop(state, draft, container, message=message, asked=None if asked is None else int(asked))
            return
