"""One container of a pod as the engine is to make it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from minikctl.model.actions.node import HostFile, RunContainer
from minikctl.model.containers import ContainerSpec, Mount
from minikctl.plan.pod import (
    backoff,
    checks,
    env,
    events,
    names,
    resizing,
    resources,
    sandbox,
    security,
    volumes,
)
from minikctl.plan.pod.problems import ConfigError
from minikctl.plan.pod.state import ContainerState, PodState
from minikctl.plan.pod.view import ImageState

TERMINATION_LOG = "/dev/termination-log"
TERMINATION_LOG_MODE = 0o666


def run(state: PodState, container: ContainerState, image: ImageState) -> RunContainer:
    """Return the action that starts the container's next attempt; ConfigError says why there is none."""
    spec = container.spec
    environment = env.environment(state.view, spec, state.ip)
    mounted = volumes.mounts(state.view, spec, environment)
    files, file_mounts = sandbox.shared_files(state, spec)
    log = names.termination_log(state.view.node, state.view.uid, container.name, container.next_attempt)
    target = str(spec.get("terminationMessagePath") or TERMINATION_LOG)
    made = _spec(state, container, image, environment)
    return RunContainer(
        container=container.name,
        spec=dataclasses.replace(made, mounts=(*mounted.mounts, *file_mounts, Mount(log, target))),
        files=(*files, HostFile(log, "", TERMINATION_LOG_MODE)),
        sub_paths=mounted.sub_paths,
        resources=resizing.of(spec, state.spec),
        post_start=checks.hook(spec, "postStart", state.ip),
        pre_stop=checks.hook(spec, "preStop", state.ip),
        grace_seconds=state.grace,
        field_path=events.container_path(container.name, container.role),
    )


def _spec(
    state: PodState, container: ContainerState, image: ImageState, environment: Mapping[str, str]
) -> ContainerSpec:
    spec, pod = container.spec, state.spec
    sandbox_id = state.sandbox_id
    rights = security.of(state.view, spec, image)
    limits = resources.of(spec, pod)
    return ContainerSpec(
        name=names.engine_name(state.view, container.name, container.next_attempt),
        image=image.reference,
        labels=_labels(state, container, sandbox_id),
        entrypoint=_words(spec.get("command"), environment),
        command=_words(spec.get("args"), environment),
        env=tuple(environment.items()),
        working_dir=env.expand(str(spec.get("workingDir") or ""), {}),
        user=rights.user,
        network="host" if state.host_network else f"container:{sandbox_id}",
        pid_mode=_pid_mode(state, container, sandbox_id),
        ipc_mode="host" if pod.get("hostIPC") else f"container:{sandbox_id}",
        cap_add=rights.cap_add,
        cap_drop=rights.cap_drop,
        privileged=rights.privileged,
        read_only_root=rights.read_only_root,
        security_opt=rights.options,
        group_add=rights.groups,
        memory_bytes=limits.memory_bytes,
        cpu_shares=limits.cpu_shares,
        cpu_quota_us=limits.cpu_quota_us,
        cpu_period_us=resources.PERIOD_US,
        oom_score_adj=resources.oom_score_adj(state.pod, spec, state.view.node),
        stdin=bool(spec.get("stdin")),
        stdin_once=bool(spec.get("stdinOnce")),
        tty=bool(spec.get("tty")),
        stop_signal=str((spec.get("lifecycle") or {}).get("stopSignal") or ""),
        stop_seconds=state.grace,
    )


def _labels(state: PodState, container: ContainerState, sandbox_id: str) -> dict[str, str]:
    roles = {"app": names.APP_ROLE, "ephemeral": names.EPHEMERAL_ROLE}
    role = roles.get(container.role, names.INIT_ROLE)
    found = names.labels(state.view, role, container.name, container.next_attempt)
    delay = backoff.next_delay(container.ended, container.hash, state.view.node.began)
    return found | {
        names.SPEC_HASH: container.hash,
        names.SANDBOX: sandbox_id,
        names.BACKOFF: str(delay),
    }


def _words(words: Iterable[str] | None, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    expanded = tuple(env.expand(str(word), environment) for word in words or ())
    return expanded or None


def _pid_mode(state: PodState, container: ContainerState, sandbox_id: str) -> str:
    """Return whose processes the container sees; an ephemeral one those of its target."""
    if state.spec.get("hostPID"):
        return "host"
    if state.spec.get("shareProcessNamespace"):
        return f"container:{sandbox_id}"
    target = str(container.spec.get("targetContainerName") or "")
    if not target:
        return ""
    for other in state.all:
        if other.name == target and other.running is not None:
            return f"container:{other.running.id}"
    raise ConfigError(f'unable to find target container "{target}"', "CreateContainerError")
