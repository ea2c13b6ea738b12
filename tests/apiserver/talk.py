"""A node that answers logs and commands from memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from minikctl import errors
from minikctl.drivers.engine import ExecOptions, LogOptions


class Session:
    """Runs ``echo``, ``cat``, ``size`` (prints the size of the terminal), ``fail CODE``, ``flood`` and
    ``hang``."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sizes: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def write(self, data: bytes) -> None:
        if self.closed.is_set():
            raise errors.DriverError("the process is gone")
        self._input.put_nowait(data)

    async def close_stdin(self) -> None:
        self._input.put_nowait(None)

    async def resize(self, width: int, height: int) -> None:
        self.sizes.put_nowait((width, height))

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        match self._argv[0]:
            case "echo":
                yield 1, " ".join(self._argv[1:]).encode() + b"\n"
            case "cat":
                while (data := await self._input.get()) is not None:
                    yield 1, data
            case "size":
                width, height = await self.sizes.get()
                yield 1, f"{width}x{height}".encode()
            case "fail":
                yield 2, b"it failed\n"
            case "flood":
                while not self.closed.is_set():
                    yield 1, b"x" * 65_536
                    await asyncio.sleep(0)
            case "hang":
                await self.closed.wait()

    async def exit_code(self) -> int:
        return int(self._argv[1]) if self._argv[0] == "fail" else 0

    async def close(self) -> None:
        self.closed.set()


class Talk:
    """A ``NodeStreams``; ``lines`` are every container's log."""

    def __init__(self, lines: Sequence[bytes] = (b"one\n", b"two\n")) -> None:
        self.lines = list(lines)
        self.asked: list[tuple[str, bool, LogOptions]] = []
        self.sessions: list[Session] = []
        self.echoes: list[Echo] = []
        self.ended = asyncio.Event()
        self.released = asyncio.Event()

    async def logs(
        self, pod: Any, container: str, previous: bool, options: LogOptions
    ) -> AsyncGenerator[bytes, None]:
        del pod
        self.asked.append((container, previous, options))
        if container == "broken":
            raise errors.NoSuchContainer("no such container")
        try:
            for line in self.lines:
                yield line
            if options.follow:
                await asyncio.Event().wait()
        finally:
            self.ended.set()

    async def exec(self, pod: Any, container: str, argv: Sequence[str], options: ExecOptions) -> Session:
        del pod, container, options
        if argv[0] == "missing":
            raise errors.DriverError('exec: "missing": executable file not found in $PATH')
        self.sessions.append(Session(argv))
        return self.sessions[-1]

    async def attach(self, pod: Any, container: str, *, stdin: bool) -> Session:
        del pod, container, stdin
        self.sessions.append(Session(["cat"]))
        return self.sessions[-1]

    @contextlib.asynccontextmanager
    async def forwarding(self) -> AsyncIterator[None]:
        yield
        self.released.set()

    async def connect(self, pod: Any, port: int) -> Echo:
        del pod
        self.echoes.append(Echo(port))
        return self.echoes[-1]


class Echo:
    """A port that says its number, gives back what it gets, and says bye at the end; port 81 refuses."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._data: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._data.put_nowait(f"port {port}\n".encode())
        self._said_bye = False
        self.closed = asyncio.Event()

    async def read(self) -> bytes:
        if self._port == 81:
            raise errors.DriverError("connection refused")
        if self._said_bye:
            return b""
        data = await self._data.get()
        self._said_bye = data is None
        return b"bye\n" if data is None else data

    async def write(self, data: bytes) -> None:
        if self._port == 82:
            raise errors.DriverError("broken pipe")
        self._data.put_nowait(data)

    async def close_write(self) -> None:
        self._data.put_nowait(None)

    async def close(self) -> None:
        self._data.put_nowait(None)
        self.closed.set()
