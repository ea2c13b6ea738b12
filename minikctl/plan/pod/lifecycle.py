"""A pod on its way up and while it runs: volumes, sandbox, init containers, containers, probes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from minikctl.model import objects
from minikctl.model.actions.node import (
    AttachNetwork,
    CreateSandbox,
    RemoveContainer,
    StartProbe,
    StopProbe,
    Volume,
    WriteVolume,
)
from minikctl.model.containers import Container
from minikctl.plan.pod import (
    checks,
    deadline,
    ending,
    events,
    fidelity,
    pausing,
    resizing,
    sandbox,
    starting,
    volumes,
)
from minikctl.plan.pod.draft import Draft
from minikctl.plan.pod.state import ContainerState, PodState, runs

KEPT = 2
"""How many attempts of a container are kept: the newest, and the one before for its logs."""


def plan(state: PodState, draft: Draft) -> None:
    """Add what brings the pod one step further."""
    tidy(state, draft)
    probes(state, draft)
    if ending.outcome(state) or deadline.passed(state, draft):
        ending.wind_down(state, draft)
        return
    fidelity.report(state, draft)
    resizing.report(state, draft)
    pausing.report(state, draft)
    volumes_ready = _volumes(state, draft)
    if state.sandbox is None:
        _new_sandbox(state, draft, volumes_ready is not None)
    elif not state.attached:
        draft.add(AttachNetwork(state.sandbox.id, state.sandbox.pid, state.sandbox.ip, state.host_network))
    _containers(state, draft, _stage(state, bool(volumes_ready)))


def _stage(state: PodState, volumes_ready: bool) -> starting.Stage:
    if volumes_ready and state.attached:
        return "ready"
    return "making" if volumes_ready and state.sandbox is None and state.sandbox_id else "early"


def _volumes(state: PodState, draft: Draft) -> bool | None:
    """Add what the volumes lack; return whether all are as wanted, None if one cannot be."""
    found = volumes.wanted(state.view)
    for name, message in found.problems.items():
        draft.report(f"volume/{name}/{message}", events.warning(state.pod, "FailedMount", message))
    late = [volume for volume in found.wanted if state.view.volumes.get(volume.name) != volume]
    for volume in [*late, *_stale(found.wanted, late, draft)]:
        draft.add(WriteVolume(volume))
    return None if found.problems else not late


def _stale(wanted: Iterable[Volume], late: Sequence[Volume], draft: Draft) -> Iterator[Volume]:
    """Yield the volumes whose tokens are due for renewal; have the pod planned again when others will be."""
    for volume in wanted:
        due = draft.view.renewals.get(volume.name)
        if due is None or volume in late:
            continue
        if due <= draft.now:
            yield volume
        else:
            draft.wake((due - draft.now).total_seconds())


def _new_sandbox(state: PodState, draft: Draft, allowed: bool) -> None:
    """Add a new sandbox once nothing of an earlier one runs any more."""
    left = [container.running for container in state.all if container.running]
    for container in state.all:
        if container.running:
            ending.stop(state, draft, container, message="")
    if state.pauses:
        message = "Pod sandbox changed, it will be killed and re-created."
        token = f"sandbox/{state.pauses[0].id}"
        draft.report(token, events.normal(state.pod, "SandboxChanged", message))
    starts = any(container.starting for container in state.all)
    stale = any(pause.status == "created" or runs(pause) for pause in state.pauses)
    if allowed and (refusal := sandbox.refusal(state)):
        draft.report("runtime class", events.warning(state.pod, "FailedCreatePodSandBox", refusal))
    elif allowed and not left and not starts and not stale:
        draft.add(CreateSandbox(sandbox.pause_spec(state)))


def _containers(state: PodState, draft: Draft, stage: starting.Stage) -> None:
    """Start and tend containers: init containers one after the other, then the others together.

    Ephemeral ones start at once, whatever the others do, and never again.
    """
    for container in state.ephemeral:
        if container.latest is None and not container.stored.get("containerID"):
            _tend(state, draft, container, stage)
    if state.initialized:
        for container in (*state.sidecars, *state.apps):
            _tend(state, draft, container, stage)
        return
    for container in state.init:
        if not state.init_done(container):
            _tend(state, draft, container, stage)
            return
        if container.role == "sidecar":
            _tend(state, draft, container, stage)
    # No init container is left (or there never was one) and there is no sandbox yet.
    for container in state.apps:
        _tend(state, draft, container, stage)


def _tend(state: PodState, draft: Draft, container: ContainerState, stage: starting.Stage) -> None:
    if container.restartable:
        starting.tell_of_failure(draft, container)
    if container.starting or container.stale:
        return
    running = container.running
    if running is None:
        if container.ended is None or container.restartable or _lost_to_sandbox(state, container):
            starting.start(state, draft, container, stage)
    elif state.here(running):
        ending.stop_if_unfit(state, draft, container, running)


def _lost_to_sandbox(state: PodState, container: ContainerState) -> bool:
    """Tell whether an init container has to run again because its sandbox is gone."""
    return container.role == "init" and not state.here(container.latest)


def tidy(state: PodState, draft: Draft) -> None:
    """Add the removal of what is of no more use: old attempts, dead sandboxes, what never started.

    So is an attempt that runs beside another, as after ``docker restart``: the engine starts again what the
    node has already replaced.
    """
    sandbox_busy = ("sandbox",) in draft.view.busy
    for index, pause in enumerate(state.pauses):
        if (index > 0 or not state.serves(pause)) and not (sandbox_busy and pause.status == "created"):
            draft.add(RemoveContainer(pause.id, sandbox=True))
    for container in state.all:
        kept = [one for one in container.history if one not in container.surplus]
        for old in (*container.surplus, *container.stale, *kept[KEPT:]):
            draft.add(RemoveContainer(old.id))


def probes(state: PodState, draft: Draft) -> None:
    """Add the start of probes that containers lack, and the end of those without container."""
    wanted: set[tuple[str, str]] = set()
    for container in state.all:
        running = container.running
        if running is None or container.role == "init" or not state.attached:
            continue
        for kind in checks.KINDS:
            probe = checks.probe(container.spec, kind, state.ip)
            if probe is None or (kind == "startup") == container.started:
                continue
            if kind != "readiness" and objects.is_deleting(state.pod):
                continue
            wanted.add((running.id, kind))
            if (running.id, kind) not in draft.view.probes:
                path = events.container_path(container.name, container.role)
                draft.add(StartProbe(container.name, running.id, probe, path))
    for container_id, found in draft.view.probes:
        for kind in checks.KINDS:
            if found == kind and (container_id, kind) not in wanted and not _keeps(state, container_id, kind):
                draft.add(StopProbe(container_id, kind))


def _keeps(state: PodState, container_id: str, kind: str) -> bool:
    """Tell whether the probe's result is still read: a startup probe's, as long as its container runs."""
    return kind == "startup" and any(_is(container.running, container_id) for container in state.all)


def _is(container: Container | None, container_id: str) -> bool:
    return container is not None and container.id == container_id
