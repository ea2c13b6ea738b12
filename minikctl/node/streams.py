"""Logs, commands and ports of pods, straight from the engine: fits ``apiserver.streams.NodeStreams``."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers import relay as relays
from minikctl.model import objects
from minikctl.model.containers import Container
from minikctl.model.objects import Object
from minikctl.plan.pod import names
from minikctl.plan.pod.state import ended, runs

SCHEME = "docker://"


class EngineStreams:
    """Finds a pod's container by its labels and connects to it; only ports need the agent."""

    def __init__(self, engine: engines.Engine, cluster: str, relay: relays.Relay) -> None:
        self._engine = engine
        self._cluster = cluster
        self._relay = relay

    async def logs(
        self, pod: Object, container: str, previous: bool, options: engines.LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield log bytes of the present or of the previous run, until the end or for ever with follow."""
        chosen = _last_ended(pod, container) if previous else await self._newest(pod, container)
        if not chosen:
            word = "previous terminated container" if previous else "container"
            raise errors.NoSuchContainer(f'{word} "{container}" in pod "{objects.name(pod)}" not found')
        async for chunk in self._engine.logs(chosen, options):
            yield chunk

    async def exec(
        self, pod: Object, container: str, argv: Sequence[str], options: engines.ExecOptions
    ) -> engines.ExecSession:
        """Start a command in the running container."""
        return await self._engine.exec(await self._running(pod, container), argv, options)

    async def attach(self, pod: Object, container: str, *, stdin: bool) -> engines.ExecSession:
        """Connect to the container's own process, whose terminal is what it was started with."""
        tty = _has_terminal(pod, container)
        return await self._engine.attach(await self._running(pod, container), stdin=stdin, tty=tty)

    def forwarding(self) -> AbstractAsyncContextManager[None]:
        """Be ready for connections to ports during the block."""
        return self._relay.held()

    async def connect(self, pod: Object, port: int) -> relays.PortConnection:
        """Connect to a port inside the pod, on 127.0.0.1; whether anything listens shows when it is read."""
        labels = {names.CLUSTER: self._cluster, names.POD_UID: objects.uid(pod), names.ROLE: names.PAUSE_ROLE}
        found = [each for each in await self._engine.list(labels) if runs(each) and each.pid]
        if not found:
            raise errors.NoSuchContainer(f'no sandbox of pod "{objects.name(pod)}" is running')
        sandbox = max(found, key=names.attempt)
        try:
            opened = await self._relay.connect(sandbox.id, sandbox.pid, port)
        except errors.DriverError as error:
            raise _unforwarded(sandbox, str(error)) from error
        return _PodPort(opened, sandbox, port)

    async def _newest(self, pod: Object, container: str) -> str:
        """Return the id of the run that the status shows, else of the newest that has a log."""
        shown = str(_entry(pod, container).get("containerID") or "")
        if shown:
            return shown.removeprefix(SCHEME)
        found = await self._attempts(pod, container)
        return next((each.id for each in found if runs(each) or ended(each)), "")

    async def _running(self, pod: Object, container: str) -> str:
        """Return the id of the run that the status shows running, else of one that runs."""
        entry = _entry(pod, container)
        if (entry.get("state") or {}).get("running") and entry.get("containerID"):
            return str(entry["containerID"]).removeprefix(SCHEME)
        for each in await self._attempts(pod, container):
            if runs(each):
                return each.id
        raise errors.NoSuchContainer(f'container not found ("{container}")')

    async def _attempts(self, pod: Object, container: str) -> list[Container]:
        """Return the container's attempts, the newest first."""
        labels = {names.CLUSTER: self._cluster, names.POD_UID: objects.uid(pod), names.CONTAINER: container}
        return sorted(await self._engine.list(labels), key=names.attempt, reverse=True)


class _PodPort:
    """A relayed connection whose failures are told as containerd tells them."""

    def __init__(self, connection: relays.PortConnection, sandbox: Container, port: int) -> None:
        self._connection = connection
        self._sandbox = sandbox
        self._port = port

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end; ``DriverError`` if nothing listened."""
        try:
            return await self._connection.read()
        except errors.DriverError as error:
            raise self._failure(str(error)) from error

    def _failure(self, words: str) -> errors.DriverError:
        refused = re.search(r"can't connect to remote host \(127\.0\.0\.1\): (.*)", words)
        if refused is None:
            return _unforwarded(self._sandbox, words)
        reason = f"dial tcp4 127.0.0.1:{self._port}: connect: {refused[1].lower()}"
        place = f'localhost:{self._port} inside namespace "{self._sandbox.id}"'
        return _unforwarded(self._sandbox, f"failed to connect to {place}, IPv4: {reason}")

    async def write(self, data: bytes) -> None:
        """Send bytes; ``DriverError`` when the other side no longer takes any."""
        await self._connection.write(data)

    async def close_write(self) -> None:
        """Let the other side see the end of what is sent."""
        await self._connection.close_write()

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        await self._connection.close()


def _unforwarded(sandbox: Container, words: str) -> errors.DriverError:
    place = f"/proc/{sandbox.pid}/ns/net"
    return errors.DriverError(f'failed to execute portforward in network namespace "{place}": {words}', words)


def _has_terminal(pod: Object, container: str) -> bool:
    """Say whether the container was given a terminal; its output is not framed then, whoever asks."""
    spec = objects.spec(pod)
    return any(
        entry.get("name") == container and bool(entry.get("tty"))
        for field in ("containers", "initContainers", "ephemeralContainers")
        for entry in spec.get(field) or ()
    )


def _entry(pod: Object, container: str) -> Object:
    """Return what the pod's status says of the container."""
    status = objects.status(pod)
    for field in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(field) or ():
            if entry.get("name") == container:
                return dict(entry)
    return {}


def _last_ended(pod: Object, container: str) -> str:
    """Return the id of the run before the one that the status shows."""
    ended = (_entry(pod, container).get("lastState") or {}).get("terminated") or {}
    return str(ended.get("containerID") or "").removeprefix(SCHEME)
