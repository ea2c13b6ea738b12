"""Exec and attach apart from the protocol that carries them: a process, and a client's end of its streams."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from minikctl import errors
from minikctl.apiserver import channels
from minikctl.apiserver.streams import NodeStreams, StreamRequest
from minikctl.drivers.engine import ExecOptions, ExecSession
from minikctl.model.objects import Object


class ClientEnd(Protocol):
    """The client's streams of one command."""

    async def feed(self, session: ExecSession) -> None:
        """Hand input, its end and terminal sizes to the process; return when the client has gone."""
        ...

    async def send(self, channel: int, data: bytes) -> None:
        """Send output of the process."""
        ...

    async def finish(self, status: dict[str, Any]) -> None:
        """Tell the outcome and end all streams."""
        ...


async def opened(streams: NodeStreams, pod: Object, wanted: StreamRequest) -> ExecSession:
    """Start the command, or attach; ``DriverError`` says why that cannot be."""
    if wanted.command:
        options = ExecOptions(stdin=wanted.stdin, tty=wanted.tty, user=wanted.user)
        return await streams.exec(pod, wanted.container, wanted.command, options)
    return await streams.attach(pod, wanted.container, stdin=wanted.stdin)


async def run(session: ExecSession, wanted: StreamRequest, end: ClientEnd) -> None:
    """Carry bytes both ways until the command has ended or the client has gone."""
    output = asyncio.create_task(_send_output(session, wanted, end))
    entered = asyncio.create_task(end.feed(session))
    try:
        await asyncio.wait((output, entered), return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            output.result()
        elif entered.exception() is not None:
            # The process no longer reads; it may still have something to say.
            await output
    finally:
        output.cancel()
        entered.cancel()
        await asyncio.gather(output, entered, return_exceptions=True)


async def _send_output(session: ExecSession, wanted: StreamRequest, end: ClientEnd) -> None:
    try:
        async for channel, data in session.output():
            if wanted.stderr if channel == channels.STDERR else wanted.stdout:
                await end.send(channel, data)
        ended = channels.exited(await session.exit_code()) if wanted.command else channels.success()
    except errors.DriverError as error:
        ended = channels.failed(str(error))
    await end.finish(ended)
