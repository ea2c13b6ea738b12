"""Exec and attach over SPDY/3.1, the way of kubectl before 1.31: a stream for each channel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from minikctl import errors
from minikctl.apiserver import channels, remote_command
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.streams import StreamRequest
from minikctl.client import multiplex
from minikctl.drivers.engine import ExecSession

UPGRADE = "spdy/3.1"
PROTOCOLS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
)
CREATION_SECONDS = 30.0
FAREWELL_SECONDS = 2.0

Opener = Callable[[], Awaitable[ExecSession]]


async def switched(exchange: Exchange, supported: Sequence[str]) -> tuple[multiplex.Pipe, str]:
    """Answer an upgrade request; return the connection and the protocol, "" if the client named none."""
    offered = exchange.values("x-stream-protocol-version")
    chosen = next((each for each in supported if each in offered), "")
    if offered and not chosen:
        asked, known = " ".join(offered), " ".join(supported)
        text = f"unable to negotiate protocol: client supports [{asked}], server accepts [{known}]"
        raise errors.StatusError(403, "Forbidden", f"unable to upgrade: {text}")
    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1")]
    if chosen:
        headers.append(("X-Stream-Protocol-Version", chosen))
    return await exchange.switch(headers), chosen


async def serve(exchange: Exchange, wanted: StreamRequest, opener: Opener) -> None:
    """Run a command over SPDY."""
    pipe, protocol = await switched(exchange, PROTOCOLS)
    connection = multiplex.Connection(pipe, client=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(connection.run(), name="spdy")
        try:
            async with asyncio.timeout(CREATION_SECONDS):
                found = await _created(connection, _expected(wanted, protocol))
            await _command(SpdyEnd(connection, found, protocol), wanted, opener)
            async with asyncio.timeout(FAREWELL_SECONDS):
                await connection.lost.wait()
        except (TimeoutError, multiplex.StreamReset):
            # A client that never made its streams cannot be told so; one that has all it wants has gone.
            pass
        finally:
            await connection.close()
            running.cancel()


def _expected(wanted: StreamRequest, protocol: str) -> set[str]:
    kinds = {
        "error": True,
        "stdin": wanted.stdin,
        "stdout": wanted.stdout,
        "stderr": wanted.stderr and not wanted.tty,
    }
    kinds["resize"] = wanted.tty and protocol[:2] in ("v3", "v4", "v5")
    return {kind for kind, is_wanted in kinds.items() if is_wanted}


async def _created(connection: multiplex.Connection, expected: set[str]) -> dict[str, multiplex.Stream]:
    found: dict[str, multiplex.Stream] = {}
    async for stream in connection.opened():
        await connection.accept(stream)
        found[stream.headers.get("streamtype", "")] = stream
        if expected <= found.keys():
            return found
    raise multiplex.StreamReset("the client has gone")


async def _command(end: SpdyEnd, wanted: StreamRequest, opener: Opener) -> None:
    try:
        session = await opener()
    except errors.DriverError as error:
        await end.finish(channels.failed(str(error)))
        return
    try:
        await remote_command.run(session, wanted, end)
    finally:
        await session.close()


class SpdyEnd:
    """Fits ``remote_command.ClientEnd``."""

    def __init__(
        self, connection: multiplex.Connection, streams: dict[str, multiplex.Stream], protocol: str
    ) -> None:
        self._connection = connection
        self._streams = streams
        self._protocol = protocol

    async def feed(self, session: ExecSession) -> None:
        """Hand input, its end and terminal sizes to the process; return when the client has gone."""
        async with asyncio.TaskGroup() as group:
            feeding = [group.create_task(self._input(session)), group.create_task(self._sizes(session))]
            await self._connection.lost.wait()
            for task in feeding:
                task.cancel()

    async def _input(self, session: ExecSession) -> None:
        stream = self._streams.get("stdin")
        if stream is None:
            return
        # A process that no longer reads may still have something to say.
        with contextlib.suppress(errors.DriverError, multiplex.StreamReset):
            while data := await stream.read():
                await session.write(data)
        await session.close_stdin()

    async def _sizes(self, session: ExecSession) -> None:
        stream = self._streams.get("resize")
        text = b""
        with contextlib.suppress(multiplex.StreamReset):
            while stream is not None and (data := await stream.read()):
                *whole, text = (text + data).replace(b"}", b"}\n").split(b"\n")
                for each in whole:
                    size = channels.decode(bytes([channels.RESIZE]) + each, channels.V4)
                    if isinstance(size, channels.Resize):
                        with contextlib.suppress(errors.DriverError):
                            await session.resize(size.width, size.height)

    async def send(self, channel: int, data: bytes) -> None:
        """Send output of the process."""
        stream = self._streams.get("stderr" if channel == channels.STDERR else "stdout")
        if stream is not None:
            await stream.write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        """Tell the outcome and end all streams."""
        structured = self._protocol[:2] in ("v4", "v5")
        told = channels.outcome(status, structured=structured)
        if told:
            await self._streams["error"].write(told)
        for stream in self._streams.values():
            await stream.end()
