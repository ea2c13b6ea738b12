"""Connections through the agent's program, which runs here as a process of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import dial_program as program
from minikctl.drivers.switchboard import AgentDialer
from minikctl.model.actions.node import HttpCheck, TcpCheck
from minikctl.node.checks import RealProber, Result
from minikctl.runtime.clock import SystemClock
from tests.node.test_checks import self_signed

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HERE = "127.0.0.1"
MUCH = b"0123456789abcdef" * (program.WINDOW // 4)


class Session:
    """Fits ``drivers.engine.ExecSession``: a process of this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def write(self, data: bytes) -> None:
        """Send to its input."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
        except OSError as error:
            raise errors.DriverError("the process no longer reads its input") from error

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield what it writes."""
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(1000):
            yield 1, data

    async def close(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


class Engine:
    """Runs commands of the agent here."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []

    async def exec(self, agent: str, argv: Sequence[str], options: Any) -> Session:
        """Start a command."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe)
        self.sessions.append(Session(process))
        return self.sessions[-1]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def dialer(engine: Engine) -> AsyncIterator[AgentDialer]:
    async def agent() -> str:
        return "agent"

    made = AgentDialer(engine, agent)  # type: ignore[arg-type]
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def serving(handler: Handler, **more: Any) -> AsyncIterator[int]:
    """Serve during the block; yield the port."""
    server = await asyncio.start_server(handler, HERE, 0, **more)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everything back once nothing more comes."""
    writer.write(await reader.read())
    await writer.drain()
    writer.close()


async def test_much_goes_both_ways_and_ends(dialer: AgentDialer) -> None:
    async with serving(echo) as port:
        lines = [await dialer.open(HERE, port) for _ in range(3)]

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(MUCH)
            await writer.drain()
            writer.write_eof()
            found = await reader.read()
            writer.close()
            return found

        assert await asyncio.gather(*(talk(*line) for line in lines)) == [MUCH] * 3


async def test_one_that_nobody_reads_holds_up_no_other(dialer: AgentDialer) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(MUCH)
                await writer.drain()

    async with serving(pour) as pouring, serving(echo) as port:
        _, idle = await dialer.open(HERE, pouring)
        reader, writer = await dialer.open(HERE, port)
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"hello"
        idle.close()
        writer.close()


async def test_who_leaves_is_seen_by_the_server(dialer: AgentDialer) -> None:
    ended = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()
        ended.set()

    async with serving(wait) as port:
        _, writer = await dialer.open(HERE, port)
        writer.close()
        async with asyncio.timeout(5):
            await ended.wait()
    async with asyncio.timeout(5):
        while dialer._board is not None and dialer._board._lines:
            await asyncio.sleep(0)


async def test_probes_find_through_it_what_they_find_without_it(dialer: AgentDialer) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    prober = RealProber(Engine(), SystemClock(), dialer)  # type: ignore[arg-type]
    async with serving(answer) as port:
        assert await prober.check(HttpCheck(HERE, port, "/"), "", 5) == Result(True)
        assert await prober.check(TcpCheck(HERE, port), "", 5) == Result(True)
    refused = f"dial tcp {HERE}:{port}: connect: connection refused"
    assert await prober.check(TcpCheck(HERE, port), "", 5) == Result(False, refused, refused=True)


async def test_tls_is_spoken_over_it(dialer: AgentDialer, tmp_path: Any) -> None:
    server = self_signed(tmp_path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async with serving(greet, ssl=server) as port:
        reader, writer = await dialer.open(HERE, port, ssl=client)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()


async def test_a_program_that_ended_breaks_its_connections_and_the_next_has_another(
    engine: Engine, dialer: AgentDialer
) -> None:
    async with serving(echo) as port:
        reader, writer = await dialer.open(HERE, port)
        await engine.sessions[0].close()
        assert await reader.read() == b""
        writer.close()
        reader, writer = await dialer.open(HERE, port)
        writer.write(b"x")
        writer.write_eof()
        assert await reader.read() == b"x"
        writer.close()
    assert len(engine.sessions) == 2


def test_connections_are_looked_at_before_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one may get the number of one that ended a moment ago, for which something was told."""
    source, far = os.pipe()
    told: list[str] = []
    running = program.Program(source, far)
    stream = program.Stream(1, socket.socket())
    running._by_door[stream.door.fileno()] = stream
    rounds = [[(source, 0), (stream.door.fileno(), 0)], [(source, 0)]]
    monkeypatch.setattr(running, "_poll", SimpleNamespace(register=print, poll=lambda: rounds.pop(0)))
    monkeypatch.setattr(running, "_go_on", lambda _: told.append("a connection"))
    monkeypatch.setattr(running, "_take", lambda *_: told.append("a frame"))
    os.write(far, program.frame(2, program.OPEN, b"127.0.0.1 1"))
    os.close(far)
    running.run()
    assert told == ["a connection", "a frame"]
    os.close(source)
    stream.door.close()


async def test_without_an_agent_there_is_no_connection() -> None:
    async def nobody() -> None:
        return None

    with pytest.raises(OSError, match="the network agent does not run"):
        await AgentDialer(Engine(), nobody).open(HERE, 1)  # type: ignore[arg-type]
