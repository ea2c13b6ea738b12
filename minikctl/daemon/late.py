"""Logs and commands of pods for an API that answers before the node is there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from minikctl import errors
from minikctl.apiserver.streams import NodeStreams
from minikctl.drivers.engine import ExecOptions, ExecSession, LogOptions
from minikctl.model.objects import Object

if TYPE_CHECKING:
    from minikctl.drivers.relay import PortConnection


class LateStreams:
    """Fits ``apiserver.streams.NodeStreams``: says "not yet" until ``target`` is set, then hands on to it."""

    target: NodeStreams | None = None

    def _ready(self) -> NodeStreams:
        if self.target is None:
            raise errors.StatusError(503, "ServiceUnavailable", "the node is still starting")
        return self.target

    async def logs(
        self, pod: Object, container: str, previous: bool, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield log bytes of the present or of the previous run."""
        async for data in self._ready().logs(pod, container, previous, options):
            yield data

    async def exec(
        self, pod: Object, container: str, argv: Sequence[str], options: ExecOptions
    ) -> ExecSession:
        """Start a command in the running container."""
        return await self._ready().exec(pod, container, argv, options)

    async def attach(self, pod: Object, container: str, *, stdin: bool, tty: bool) -> ExecSession:
        """Connect to the container's own process."""
        return await self._ready().attach(pod, container, stdin=stdin, tty=tty)

    def forwarding(self) -> AbstractAsyncContextManager[None]:
        """Be ready for connections to ports during the block."""
        return self._ready().forwarding()

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port inside the pod, on 127.0.0.1."""
        return await self._ready().connect(pod, port)
