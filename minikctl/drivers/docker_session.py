"""Exec and attach: an HTTP request that turns into a two-way stream, read and written by the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.drivers import docker_http, docker_wire

_CHUNK = 64 * 1024
_HEAD_LIMIT = 64 * 1024
_DIAL_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_LOOK_LIMIT_SECONDS = 4.0
_LAST_WORDS_SECONDS = 0.2
_END_KEY = b"\x04"


@dataclass(frozen=True)
class Stream:
    """Both ends of an upgraded connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def upgrade(connection: docker_http.Connection, path: str, body: Any = None) -> Stream:
    """Return the raw stream that a POST to ``path`` turns into."""
    client = await connection.threads.quick(connection.client)
    try:
        async with asyncio.timeout(_DIAL_SECONDS):
            stream = await _dial(connection.base_url)
            await _negotiate(stream, f"/v{client.api_version}{path}", body)
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        raise connection.unavailable(error) from error
    return stream


async def _dial(base_url: str) -> Stream:
    url = urllib.parse.urlsplit(base_url)
    if url.scheme in ("unix", "http+unix"):
        socket_path = urllib.parse.unquote(url.netloc + url.path)
        return Stream(*await asyncio.open_unix_connection(socket_path, limit=_HEAD_LIMIT))
    if url.scheme in ("tcp", "http") and url.hostname:
        return Stream(*await asyncio.open_connection(url.hostname, url.port or 2375, limit=_HEAD_LIMIT))
    raise errors.DriverError(
        f"commands in containers are not possible over {url.scheme}:// connections to Docker"
    )


async def _negotiate(stream: Stream, path: str, body: Any) -> None:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    stream.writer.write(head.encode() + content)
    try:
        answer = (await stream.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status = int(answer.split(" ", 2)[1])
        if status in (101, 200):
            return
        words = await stream.reader.read(_CHUNK)
    except BaseException:
        stream.writer.close()
        raise
    stream.writer.close()
    raise docker_http.failure(status, docker_http.engine_words(words))


class DockerSession:
    """An exec or an attached container: they differ in the calls they are made with."""

    def __init__(
        self,
        stream: Stream,
        *,
        tty: bool,
        runs: Callable[[], Awaitable[bool]],
        ask_exit: Callable[[], Awaitable[int]],
        set_size: Callable[[int, int], Awaitable[None]],
    ) -> None:
        self._stream = stream
        self._decoder = None if tty else docker_wire.FrameDecoder()
        self._in_line = False
        self._runs = runs
        self._ask_exit = ask_exit
        self._set_size = set_size

    async def write(self, data: bytes) -> None:
        """Send bytes to stdin; raises ``DriverError`` when the process is gone."""
        try:
            self._stream.writer.write(data)
            await self._stream.writer.drain()
            self._in_line = not data.endswith((b"\n", b"\r")) if data else self._in_line
        except (OSError, RuntimeError) as error:
            raise errors.DriverError("the process no longer reads its input", str(error)) from error

    async def close_stdin(self) -> None:
        """Half-close: the process sees end of file, output goes on."""
        with contextlib.suppress(OSError, RuntimeError):
            if self._decoder is None:
                # A terminal has no other end of file than this key; the engine would end the output, too.
                self._stream.writer.write(_END_KEY * (2 if self._in_line else 1))
            else:
                self._stream.writer.write_eof()

    async def resize(self, width: int, height: int) -> None:
        """Set the terminal's size in characters."""
        await self._set_size(width, height)

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield (1, stdout bytes) and (2, stderr bytes) until the process closes them."""
        while data := await self._read():
            if self._decoder is None:
                yield 1, data
            else:
                for piece in self._decoder.feed(data):
                    yield piece

    async def _read(self) -> bytes:
        # The engine does not always end the stream of a command whose container ended: it is asked as well.
        reading = asyncio.ensure_future(self._stream.reader.read(_CHUNK))
        patience = _LOOK_SECONDS
        try:
            while not (await asyncio.wait([reading], timeout=patience))[0]:
                patience = min(2 * patience, _LOOK_LIMIT_SECONDS)
                if not await self._runs():
                    await asyncio.wait([reading], timeout=_LAST_WORDS_SECONDS)
                    return reading.result() if reading.done() else b""
            return reading.result()
        except OSError:
            return b""
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def exit_code(self) -> int:
        """Return the exit code once the output has ended."""
        return await self._ask_exit()

    async def close(self) -> None:
        """Drop the connection and free its resources; safe to call twice."""
        self._stream.writer.close()
        with contextlib.suppress(OSError):
            await self._stream.writer.wait_closed()
