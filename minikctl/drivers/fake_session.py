"""The simulated counterpart of an exec or attached container."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from minikctl import errors
from minikctl.drivers import fake_process

_RUN_OUTPUT_LIMIT = 10 * 1024


class FakeSession:
    """Output is what was given to ``feed`` until ``end`` tells the exit code."""

    def __init__(self, stdin: fake_process.Input, *, tty: bool) -> None:
        self._stdin = stdin
        self._tty = tty
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.size = (0, 0)
        self.task: asyncio.Task[None] | None = None

    def feed(self, stream: int, data: bytes) -> None:
        """Hand on output of the process."""
        self._output.put_nowait((1 if self._tty else stream, data))

    def end(self, code: int) -> None:
        """Say that the process has ended."""
        if not self._code.done():
            self._code.set_result(code)
            self._output.put_nowait(None)

    @property
    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self._code.done()

    def kill(self) -> None:
        """End the process, as its container's end does."""
        if self.task is not None:
            self.task.cancel()
        self.end(137)

    async def write(self, data: bytes) -> None:
        """Send bytes to stdin; raises ``DriverError`` when the process is gone."""
        if self._code.done():
            raise errors.DriverError("the process no longer reads its input")
        self._stdin.write(data)

    async def close_stdin(self) -> None:
        """Half-close: the process sees end of file, output goes on."""
        self._stdin.close()

    async def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters."""
        self.size = (width, height)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (1, stdout bytes) and (2, stderr bytes) until the process closes them."""
        while (piece := await self._output.get()) is not None:
            yield piece
        self._output.put_nowait(None)

    async def exit_code(self) -> int:
        """Return the exit code once the output has ended."""
        return await asyncio.shield(self._code)

    async def close(self) -> None:
        """Drop the connection and free its resources; safe to call twice."""
        self._stdin.close()
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)


async def gathered(session: FakeSession) -> tuple[int, bytes]:
    """Return how the program ended, and what it printed, as much as an engine keeps."""
    output = bytearray()
    async for _, data in session.output():
        output += data[: _RUN_OUTPUT_LIMIT - len(output)]
    return await session.exit_code(), bytes(output)
