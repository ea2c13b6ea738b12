"""The control plane's side of the program that connects to pods from the agent (``drivers.dial_program``).

One command in the agent carries all connections: that works wherever the engine is, without a port or a file
that both would have to see.  Each connection is one end of a pair of sockets here, so that TLS and whatever
else speaks over it notices nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import itertools
import os
import select
import socket
from typing import TYPE_CHECKING

from minikctl import errors
from minikctl.drivers import dial_program as program
from minikctl.drivers import engine as engines
from minikctl.drivers.agent import FindAgent
from minikctl.drivers.dialing import LIMIT, Streams

if TYPE_CHECKING:
    from ssl import SSLContext

LOOK_SECONDS = 1.0
"""How often a connection that one side has ended is looked at: whether its user has left it altogether."""


class _Line:
    """One connection: what was heard of its server, and how much may still be sent to it."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        """Bytes, b"" at the server's end, None when the connection broke."""
        self.room = program.WINDOW
        self.more = asyncio.Event()
        self.ended = asyncio.Event()
        """Its user has no more to say."""
        self.carrying: asyncio.Task[None] | None = None

    def take(self, kind: int, content: bytes) -> None:
        """Take note of a frame."""
        if kind == program.CREDIT:
            self.room += int.from_bytes(content, "big")
            self.more.set()
        elif kind == program.DATA:
            self.heard.put_nowait(content)
        elif kind == program.END:
            self.heard.put_nowait(b"")
        elif kind == program.OPENED and not self.opened.done():
            self.opened.set_result(None)
        elif kind == program.FAILED:
            self.fail(int(content))
        elif kind == program.CLOSE:
            self.fail(errno.ECONNRESET)

    def fail(self, code: int) -> None:
        """Have its user know that it broke."""
        if not self.opened.done():
            self.opened.set_exception(OSError(code, os.strerror(code)))
            self.opened.exception()  # who asked may have gone
        self.heard.put_nowait(None)


class Switchboard:
    """The connections through one agent: they end with the program, and the program with its session."""

    def __init__(self, session: engines.ExecSession) -> None:
        self._session = session
        self._numbers = itertools.count(1)
        self._lines: dict[int, _Line] = {}
        self.over = False
        self._hearing = asyncio.ensure_future(self._hear())

    @classmethod
    async def start(cls, engine: engines.Engine, agent: str) -> Switchboard:
        """Start the program in the agent."""
        source = f"{inspect.getsource(program)}\nProgram().run()\n"
        argv = ["python3", "-I", "-S", "-c", source]
        return cls(await engine.exec(agent, argv, engines.ExecOptions(stdin=True)))

    async def open(self, host: str, port: int) -> socket.socket:
        """Return a socket that is connected to the server in all but name; ``OSError`` says why it is not."""
        number, line = next(self._numbers), _Line()
        self._lines[number] = line
        try:
            await self._send(number, program.OPEN, f"{host} {port}".encode())
            if self.over:
                line.fail(errno.ENETDOWN)
            await line.opened
        except BaseException:
            self._lines.pop(number, None)
            if not line.opened.done() or line.opened.cancelled():
                await self._send(number, program.CLOSE)
            raise
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            each.setblocking(False)
        line.carrying = asyncio.ensure_future(self._carry(number, line, theirs))
        return ours

    async def close(self) -> None:
        """End the program, and all connections."""
        self._hearing.cancel()
        await asyncio.gather(self._hearing, return_exceptions=True)
        carrying = [line.carrying for line in self._lines.values() if line.carrying is not None]
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        await self._session.close()

    async def _hear(self) -> None:
        frames = program.Frames()
        try:
            async for stream, piece in self._session.output():
                for number, kind, content in frames.feed(piece) if stream == 1 else ():
                    if (line := self._lines.get(number)) is not None:
                        line.take(kind, content)
        except errors.DriverError:
            pass
        finally:
            self.over = True
            for line in self._lines.values():
                line.fail(errno.ECONNRESET)

    async def _send(self, number: int, kind: int, content: bytes = b"") -> None:
        # A program that ended shows in its output, which ends all lines.
        with contextlib.suppress(errors.DriverError):
            await self._session.write(program.frame(number, kind, content))

    async def _carry(self, number: int, line: _Line, theirs: socket.socket) -> None:
        """Carry bytes both ways until both sides have ended, or one has gone."""
        reader, writer = await asyncio.open_connection(sock=theirs)
        is_whole = False
        try:
            async with asyncio.TaskGroup() as group:
                leaving = group.create_task(_leave(line, theirs))
                ways = [
                    group.create_task(self._up(number, line, reader, theirs)),
                    group.create_task(self._down(number, line, writer)),
                ]
                await asyncio.wait(ways)
                leaving.cancel()
            is_whole = True
        except* OSError:
            pass
        finally:
            self._lines.pop(number, None)
            writer.close()
            if not is_whole:
                writer.transport.abort()
                await self._send(number, program.CLOSE)

    async def _up(
        self, number: int, line: _Line, reader: asyncio.StreamReader, theirs: socket.socket
    ) -> None:
        while data := await reader.read(program.PIECE):
            while data:
                while not line.room:
                    line.more.clear()
                    await line.more.wait()
                piece, data = data[: line.room], data[line.room :]
                line.room -= len(piece)
                await self._send(number, program.DATA, piece)
        if _is_left(theirs):
            raise ConnectionAbortedError
        await self._send(number, program.END)
        line.ended.set()

    async def _down(self, number: int, line: _Line, writer: asyncio.StreamWriter) -> None:
        while data := await line.heard.get():
            writer.write(data)
            await writer.drain()
            await self._send(number, program.CREDIT, program.credit(len(data)))
        if data is None:
            raise ConnectionResetError
        writer.write_eof()


async def _leave(line: _Line, theirs: socket.socket) -> None:
    """Raise ``ConnectionAbortedError`` once its user has closed the other socket, not just ended writing."""
    await line.ended.wait()
    while not _is_left(theirs):
        await asyncio.sleep(LOOK_SECONDS)
    raise ConnectionAbortedError


def _is_left(theirs: socket.socket) -> bool:
    look = select.poll()
    look.register(theirs.fileno(), 0)
    return any(events & select.POLLHUP for _, events in look.poll(0))


class AgentDialer:
    """Fits ``Dialer``: from the agent that ``find_agent`` names; follows it when it is replaced."""

    def __init__(self, engine: engines.Engine, find_agent: FindAgent) -> None:
        self._engine = engine
        self._find_agent = find_agent
        self._board: Switchboard | None = None
        self._starting = asyncio.Lock()

    async def open(
        self,
        host: str,
        port: int,
        *,
        ssl: SSLContext | None = None,
        server_hostname: str | None = None,
        limit: int = LIMIT,
    ) -> Streams:
        """Return a connection; ``OSError`` says why there is none, also where there is no agent."""
        try:
            board = await self._present()
        except errors.DriverError as error:
            raise OSError(errno.ENETDOWN, str(error)) from error
        door = await board.open(host, port)
        name = (server_hostname or host) if ssl is not None else None
        return await asyncio.open_connection(sock=door, ssl=ssl, server_hostname=name, limit=limit)

    async def close(self) -> None:
        """End what runs in the agent, and all connections."""
        if self._board is not None:
            board, self._board = self._board, None
            await board.close()

    async def _present(self) -> Switchboard:
        async with self._starting:
            if self._board is not None and self._board.over:
                await self.close()
            if self._board is None:
                agent = await self._find_agent()
                if agent is None:
                    raise errors.DriverError("the network agent does not run")
                self._board = await Switchboard.start(self._engine, agent)
            return self._board
