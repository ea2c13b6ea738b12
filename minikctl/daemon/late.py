"""Logs and commands of pods for an API that answers before the node is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from minikctl import errors
from minikctl.apiserver.streams import NodeStreams
from minikctl.drivers.engine import ExecOptions, ExecSession, LogOptions
from minikctl.model.objects import Object

if TYPE_CHECKING:
    from minikctl.drivers.relay import PortConnection

PATIENCE_SECONDS = 10.0


class LateStreams:
    """Fits ``apiserver.streams.NodeStreams``: requests wait until ``set`` names who answers them.

    The node is there a second after the API; who asks earlier waits, at most ``patience`` seconds, then gets
    503.
    """

    def __init__(self, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._target: asyncio.Future[NodeStreams] = asyncio.get_running_loop().create_future()

    def set(self, target: NodeStreams) -> None:
        """Have all requests, waiting ones too, answered by the target."""
        self._target.set_result(target)

    async def _ready(self) -> NodeStreams:
        await asyncio.wait((self._target,), timeout=self._patience)
        if not self._target.done():
            raise errors.StatusError(503, "ServiceUnavailable", "the node is still starting")
        return self._target.result()

    async def logs(
        self, pod: Object, container: str, previous: bool, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        """Yield log bytes of the present or of the previous run."""
        async for data in (await self._ready()).logs(pod, container, previous, options):
            yield data

    async def exec(
        self, pod: Object, container: str, argv: Sequence[str], options: ExecOptions
    ) -> ExecSession:
        """Start a command in the running container."""
        return await (await self._ready()).exec(pod, container, argv, options)

    async def attach(self, pod: Object, container: str, *, stdin: bool) -> ExecSession:
        """Connect to the container's own process."""
        return await (await self._ready()).attach(pod, container, stdin=stdin)

    @asynccontextmanager
    async def forwarding(self) -> AsyncIterator[None]:
        """Be ready for connections to ports during the block."""
        async with (await self._ready()).forwarding():
            yield

    async def connect(self, pod: Object, port: int) -> PortConnection:
        """Connect to a port inside the pod, on 127.0.0.1."""
        return await (await self._ready()).connect(pod, port)
