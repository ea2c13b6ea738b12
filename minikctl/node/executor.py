"""Carrying out the actions of one pod: each does exactly what it says, and tells what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import assert_never

from minikctl import errors
from minikctl.client import base
from minikctl.drivers import engine as engines
from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.actions import node as actions
from minikctl.model.containers import ContainerSpec
from minikctl.node import (
    by_root,
    checks,
    files,
    host_files,
    image_files,
    images,
    observe,
    probes,
    statuses,
    tokens,
)
from minikctl.node.failures import NodeFailure
from minikctl.node.record import PodRecord
from minikctl.node.sandbox import Sandbox, SandboxNetwork
from minikctl.plan.pod import events, names
from minikctl.plan.pod.view import MadeAhead, NodeInfo, ProbeState
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks as background

Record = Callable[[api.RecordEvent], None]
MIN_STOP_SECONDS = 2
"""A container whose preStop hook used up the grace period still gets so long after SIGTERM."""
WITHDRAWAL_SECONDS, WITHDRAWAL_SHARE = 10.0, 3
"""So long a deleted pod goes on serving at most, and for what part of its grace period, while rules somewhere
still lead to it: usually it is some hundredths of a second."""


@dataclasses.dataclass(frozen=True)
class Drivers:
    """All that the executor works with."""

    engine: engines.Engine
    network: SandboxNetwork
    client: base.Client
    watch: observe.EngineWatch
    images: images.Images
    probes: probes.Probes
    prober: checks.Prober
    statuses: statuses.StatusWriter
    record: Record
    clock: clocks.Clock
    tokens: tokens.Tokens
    files: host_files.HostFiles


class NodeExecutor:
    """Runs node actions; every failure is a ``DriverError`` or a ``StatusError``."""

    def __init__(self, drivers: Drivers, node: NodeInfo, wake: Callable[[str], None]) -> None:
        self._drivers = drivers
        self._engine = drivers.engine
        self._node = node
        self._wake = wake
        self._by_root = by_root.ByRoot(self._engine, node.cluster, node.infra_image, drivers.clock)
        self._leaving = asyncio.Semaphore(engines.LEAVING)
        self.no_sctp = False
        """Whether the engine has said that it cannot publish ports of SCTP."""

    async def run(self, record: PodRecord, action: actions.NodeAction) -> None:
        """Do what the action says and keep the outcome in the record."""
        match action:
            case actions.EnsureImage():
                tell = self._teller(record, action.field_path)
                found = await self._drivers.images.ensure(action, tell)
                record.images[action.container] = record.known[found.image_id] = found
            case actions.CreateSandbox():
                await self._create_sandbox(record, action)
            case actions.AttachNetwork():
                await self._attach(record, action)
            case actions.WriteVolume():
                await self._write_volume(record, action)
            case actions.MakeContainer():
                await self._make_container(record, action)
            case actions.RunContainer():
                await self._run_container(record, action)
            case actions.ResizeContainer():
                await self._resize(record, action)
            case actions.StopContainer():
                await self._stop(record, action)
            case actions.AbandonHook():
                if action.container in record.hooks:
                    record.hooks[action.container].set()
            case actions.RunPreStop():
                await self._run_pre_stop(record, action)
            case actions.RemoveContainer():
                await self._remove(record, action)
            case actions.RemovePodDir():
                await self._remove_directory(record, action)
            case actions.StartProbe():
                self._start_probe(record, action)
            case actions.StopProbe():
                self._drivers.probes.stop(action)
                record.probes.pop((action.container_id, action.kind), None)
            case actions.Report():
                record.reported.add(action.token)
                self._drivers.record(action.event)
            case actions.FinishDeletion():
                await self._finish(record, action)
            case _:
                assert_never(action)

    def _tell(self, record: PodRecord, type_: str, reason: str, message: str, path: str = "") -> None:
        if record.pod is not None:
            make = events.warning if type_ == "Warning" else events.normal
            self._drivers.record(make(record.pod, reason, message, path))

    def _teller(self, record: PodRecord, path: str) -> images.Tell:
        return lambda type_, reason, message: self._tell(record, type_, reason, message, path)

    async def _create_sandbox(self, record: PodRecord, action: actions.CreateSandbox) -> None:
        try:
            await self._create_and_start(record, action.spec)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            if isinstance(error, errors.NoSctp) and action.spec.publishes_sctp:
                self.no_sctp = True  # the pod is planned again, without those ports
                return
            message = f"Failed to create pod sandbox: {error}"
            self._tell(record, "Warning", "FailedCreatePodSandBox", message)
            raise

    async def _create_and_start(self, record: PodRecord, spec: ContainerSpec) -> None:
        """Start a sandbox; one that cannot be started is taken away again.

        Containers that are to join it are made meanwhile.
        """
        record.making = container_id = await self._engine.create(spec)
        self._wake(record.uid)
        try:
            await self._start_sandbox(container_id)
        finally:
            record.making = ""

    async def _start_sandbox(self, container_id: str) -> None:
        try:
            await self._engine.start(container_id)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError:
            with contextlib.suppress(errors.DriverError):
                await self._engine.remove(container_id)
            raise
        await self._drivers.watch.refresh(container_id)

    async def _attach(self, record: PodRecord, action: actions.AttachNetwork) -> None:
        sandbox = self._sandbox(record, action.container_id, action.pid, action.ip, action.host_network)
        try:
            await self._drivers.network.attach(sandbox)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            message = f"Failed to set up the network of the pod's sandbox: {error}"
            self._tell(record, "Warning", "FailedCreatePodSandBox", message)
            raise
        record.attached.add(action.container_id)

    def _sandbox(self, record: PodRecord, container_id: str, pid: int, ip: str, host: bool) -> Sandbox:
        return Sandbox(record.namespace, record.name, record.uid, container_id, pid, ip, host)

    async def _write_volume(self, record: PodRecord, action: actions.WriteVolume) -> None:
        volume, due = action.volume, None
        try:
            if isinstance(volume, actions.FilesVolume) and volume.tokens and record.pod is not None:
                now = self._drivers.clock.now()
                volume, due = tokens.filled(volume, record.pod, self._drivers.tokens, now)
            if isinstance(volume, actions.ImageVolume):
                await self._unpack_image(record, volume)
            else:
                await self._settle(volume.path, await self._drivers.files.write(volume))
        except (OSError, NodeFailure) as error:
            message = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
            self._tell(record, "Warning", "FailedMount", message)
            raise NodeFailure("FailedMount", message) from error
        record.volumes[volume.name] = action.volume
        if due is not None:
            record.renewals[volume.name] = due
        record.has_directory = True

    async def _settle(self, path: str, left: Sequence[files.Gift | files.Missing]) -> None:
        try:
            await self._by_root.settle(path, left)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            raise NodeFailure("FailedMount", str(error)) from error

    async def _unpack_image(self, record: PodRecord, volume: actions.ImageVolume) -> None:
        wish = actions.EnsureImage(volume.name, volume.image, volume.policy, volume.auths)
        found = await self._drivers.images.ensure(wish, self._teller(record, ""))
        await image_files.write(self._engine, self._node, volume, found)

    async def _make_container(self, record: PodRecord, action: actions.MakeContainer) -> None:
        """Create a container ahead of its start; a refusal is told by the start, which tries again."""
        record.has_directory = True
        spec = await self._prepared(action)
        container_id = await self._engine.create(spec)
        record.made[action.container] = MadeAhead(container_id, action.sandbox, action.spec)
        await self._drivers.watch.refresh(container_id)

    async def _run_container(self, record: PodRecord, action: actions.RunContainer) -> None:
        record.has_directory = True
        spec = await self._prepared(action)
        tell = self._teller(record, action.field_path)
        # Whatever comes of this start, the next one asks for the image again.
        record.images.pop(action.container, None)
        record.made.pop(action.container, None)
        try:
            container_id = action.made or await self._engine.create(spec)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            tell("Warning", "Failed", f"Error: {error}")
            raise NodeFailure("CreateContainerError", str(error)) from error
        record.resized[container_id] = dict(action.resources)
        tell("Normal", "Created", "Container created")
        try:
            await self._engine.start(container_id)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            # The container stays as the record of its failed start, like one that ended.
            tell("Warning", "Failed", f"Error: {_explained(error, spec)}")
            await self._drivers.watch.refresh(container_id)
            return
        tell("Normal", "Started", "Container started")
        await self._drivers.watch.refresh(container_id)
        if action.post_start is not None:
            await self._post_start(record, action, action.post_start, container_id)

    async def _prepared(self, action: actions.MakeContainer | actions.RunContainer) -> ContainerSpec:
        """Write the container's files; return its spec with sub-paths resolved."""
        try:
            real, rights = await self._drivers.files.prepare(action)
        except OSError as error:
            raise NodeFailure("CreateContainerConfigError", str(error)) from error
        mounts = tuple(
            dataclasses.replace(mount, source=real.get(mount.source, mount.source))
            for mount in action.spec.mounts
        )
        return dataclasses.replace(action.spec, mounts=mounts, security_opt=rights)

    async def _post_start(
        self, record: PodRecord, action: actions.RunContainer, hook: actions.Hook, container_id: str
    ) -> None:
        """Wait for the hook, unless the container is to be stopped anyway; end the container if it fails."""
        abandoned = record.hooks[action.container] = asyncio.Event()
        passed: list[bool] = []

        async def run() -> None:
            passed.append((await self._drivers.prober.hook(hook, container_id)).passed)

        try:
            await background.first(run(), abandoned.wait())
        finally:
            del record.hooks[action.container]
        if passed != [False]:
            return
        # What the hook printed is not told: it may hold secrets.
        self._tell(record, "Warning", "FailedPostStartHook", "PostStartHook failed", action.field_path)
        stop = actions.StopContainer(
            container=action.container,
            container_id=container_id,
            grace_seconds=action.grace_seconds,
            asked=action.grace_seconds,
            pre_stop=action.pre_stop,
            message="FailedPostStartHook",
            field_path=action.field_path,
        )
        await self._stop(record, stop)

    async def _resize(self, record: PodRecord, action: actions.ResizeContainer) -> None:
        await self._engine.resize(action.container_id, action.limits)
        record.resized[action.container_id] = dict(action.resources)

    async def _stop(self, record: PodRecord, action: actions.StopContainer) -> None:
        tell = self._teller(record, action.field_path)
        began = self._drivers.clock.monotonic()
        first = action.container_id not in record.stopping
        record.stopping.add(action.container_id)
        if first and action.message:
            tell("Normal", "Killing", action.message)
        grace = action.grace_seconds
        if first and grace > 0:
            least = 1
            if action.pre_stop is not None:
                await self._pre_stop(action.pre_stop, action.container_id, grace, tell)
                least = MIN_STOP_SECONDS
            await self._withdraw(record, (grace - self._since(began)) / WITHDRAWAL_SHARE)
            grace = max(math.ceil(grace - self._since(began)), least)
        with contextlib.suppress(errors.NoSuchContainer):
            await self._engine.stop(action.container_id, grace)
        await self._drivers.watch.refresh(action.container_id)

    def _since(self, began: float) -> float:
        return self._drivers.clock.monotonic() - began

    async def _withdraw(self, record: PodRecord, seconds: float) -> None:
        """Have a pod that is being deleted serve until nobody is led to it, for so many seconds at most.

        A kubelet does not wait: there clients are refused that still have the rules of before.
        """
        pauses = [one for one in record.containers.values() if one.labels.get(names.ROLE) == names.PAUSE_ROLE]
        pause = next((one for one in pauses if one.ip), None)
        if record.pod is None or pause is None or not objects.is_deleting(record.pod):
            return
        sandbox = self._sandbox(record, pause.id, pause.pid, pause.ip, False)
        withdrawn = self._drivers.network.withdraw(sandbox)
        await background.first(withdrawn, self._drivers.clock.sleep(min(seconds, WITHDRAWAL_SECONDS)))

    async def _run_pre_stop(self, record: PodRecord, action: actions.RunPreStop) -> None:
        record.stopping.add(action.container_id)
        tell = self._teller(record, action.field_path)
        tell("Normal", "Killing", action.message)
        await self._pre_stop(action.hook, action.container_id, action.grace_seconds, tell)

    async def _pre_stop(self, hook: actions.Hook, container_id: str, grace: int, tell: images.Tell) -> None:
        async def run() -> None:
            result = await self._drivers.prober.hook(hook, container_id)
            if not result.passed:
                tell("Warning", "FailedPreStopHook", "PreStopHook failed")

        # Whatever the hook does, the grace period goes on.
        await background.first(run(), self._drivers.clock.sleep(grace))

    async def _remove(self, record: PodRecord, action: actions.RemoveContainer) -> None:
        container = record.containers.get(action.container_id)
        if action.sandbox and container is not None:
            sandbox = self._sandbox(record, container.id, container.pid, container.ip, False)
            await self._drivers.network.detach(sandbox)
        try:
            async with self._leaving if action.sandbox else contextlib.nullcontext():
                await self._engine.remove(action.container_id)
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            if action.sandbox:
                message = f'error killing pod: failed to "KillPodSandbox" for "{record.uid}": {error}'
                self._tell(record, "Warning", "FailedKillPod", message)
            raise
        record.drop_container(action.container_id)

    async def _remove_directory(self, record: PodRecord, action: actions.RemovePodDir) -> None:
        left = await self._drivers.files.remove(action.paths)
        for path in left:
            await self._by_root.remove(path)
        await self._drivers.files.remove(left)  # and what is above it, if that was the last
        record.volumes.clear()
        record.renewals.clear()
        record.has_directory = False

    def _start_probe(self, record: PodRecord, action: actions.StartProbe) -> None:
        key = (action.container_id, action.probe.kind)
        record.probes.setdefault(key, ProbeState())
        container = record.containers.get(action.container_id)

        def found(container_id: str, kind: str, passed: bool) -> None:
            record.probes[(container_id, kind)] = ProbeState(passed)
            self._wake(record.uid)

        started_at = container.started_at if container else None
        tell = self._teller(record, action.field_path)
        self._drivers.probes.start(action, started_at, found, tell)

    async def _finish(self, record: PodRecord, action: actions.FinishDeletion) -> None:
        """Delete the pod for good, after its last status is written."""
        await self._drivers.statuses.flush(record.uid)
        delete = action.delete
        options = base.DeleteOptions(grace_seconds=delete.grace_seconds, uid=delete.uid)
        try:
            await self._drivers.client.delete(kinds.POD, delete.name, delete.namespace, options)
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _explained(error: errors.DriverError, spec: ContainerSpec) -> str:
    if spec.privileged:
        return f"the engine or its host refuses privileged containers: {error}"
    return str(error)
