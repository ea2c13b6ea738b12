"""The client's side of port-forward: a multiplexed connection to a pod, through any API server.

It is an HTTP connection that turns into SPDY, which API servers of every version speak.  The way through a
WebSocket is not used: its subprotocol's name has a character that the WebSocket library rightly refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from minikctl import errors
from minikctl.client import http, multiplex

PROTOCOL = "portforward.k8s.io"
_CONNECT_SECONDS = 30.0
_HEAD_LIMIT = 64 * 1024
_REPLAY_LIMIT = 1024 * 1024


async def connect(client: http.HttpClient, path: str) -> multiplex.Connection:
    """Return a connection to a pod's ``portforward`` path; its ``run`` is the caller's to start.

    A refusal of the server is a ``StatusError``, another failure a ``ConnectionRefused``.
    """
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return multiplex.Connection(await _spdy(client, client.url_path(path)), client=True)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise http.ConnectionRefused(f"error: error upgrading connection: {error}") from error


def _status(body: bytes) -> errors.StatusError | None:
    with contextlib.suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict) and found.get("kind") == "Status":
            return errors.StatusError.from_status(found)
    return None


async def _spdy(client: http.HttpClient, target: str) -> multiplex.Pipe:
    reader, writer = await opened(client)
    headers = {
        "Host": client.endpoint.server.partition("://")[2].partition("/")[0],
        "Connection": "Upgrade",
        "Upgrade": "SPDY/3.1",
        "X-Stream-Protocol-Version": PROTOCOL,
        "Content-Length": "0",
    }
    fields = [*headers.items(), *client.identity()]
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    try:
        writer.write("\r\n".join(lines).encode("latin-1"))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        if int(head.split(" ", 2)[1]) == 101:
            return SocketPipe(reader, writer)
        body = await reader.read(_HEAD_LIMIT)
    except BaseException:
        writer.close()
        raise
    writer.close()
    start = body.find(b"{")
    raise _status(body[start : body.rfind(b"}") + 1]) or errors.UsageError(
        f"error: error upgrading connection: unable to upgrade connection: {head.splitlines()[0]}"
    )


async def opened(client: http.HttpClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a new connection to the API server."""
    if client.endpoint.socket:
        return await asyncio.open_unix_connection(client.endpoint.socket, limit=_HEAD_LIMIT)
    sock = await asyncio.to_thread(client.dialed)
    sock.setblocking(False)
    return await asyncio.open_connection(
        sock=sock,
        ssl=client.tls() if client.is_encrypted else None,
        server_hostname=client.server_name if client.is_encrypted else None,
        limit=_HEAD_LIMIT,
    )


class SocketPipe:
    """The bytes of a connection; fits ``multiplex.Pipe``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        try:
            return await self._reader.read(_HEAD_LIMIT)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more."""
        self._writer.write(data)
        await self._writer.drain()

    async def close_write(self) -> None:
        """Let the other side see the end of what is sent, where that is possible."""
        if self._writer.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                self._writer.write_eof()

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Replayable:
    """A local connection whose first words can be said again, as long as nothing was answered."""

    def __init__(self, pipe: SocketPipe) -> None:
        self._pipe = pipe
        self._said: list[bytes] = []
        self._place = 0
        self.fresh = True
        """Whether all that was read is still at hand, and nothing was written."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        if self._place < len(self._said):
            self._place += 1
            return self._said[self._place - 1]
        data = await self._pipe.read()
        if self.fresh:
            self._said.append(data)
            self._place += 1
            if sum(map(len, self._said)) > _REPLAY_LIMIT:
                self._forget()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more."""
        self._forget()
        await self._pipe.write(data)

    async def close_write(self) -> None:
        """Let the other side see the end of what is sent, if anything was."""
        if not self.fresh:
            await self._pipe.close_write()

    def rewind(self) -> None:
        """Have the next reader hear all of it from the beginning; only while it is ``fresh``."""
        self._place = 0

    def _forget(self) -> None:
        if self._place == len(self._said):
            self._said, self._place = [], 0
        self.fresh = False


async def forward(connection: multiplex.Connection, request: int, port: int, local: Replayable) -> str:
    """Carry one local connection's bytes to a port of the pod; return what the server says went wrong.

    The local connection is the caller's to close.
    """
    headers = {"port": str(port), "requestid": str(request)}
    problems = await connection.open({"streamtype": "error", **headers})
    data = await connection.open({"streamtype": "data", **headers})
    try:
        await problems.end()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(_copy(local.read, data.write, data.end))
            await _copy(data.read, local.write, local.close_write)
            sending.cancel()
            await data.reset()
            return (await problems.read_all()).decode(errors="replace")
    finally:
        await data.reset()
        await problems.reset()


async def _copy(
    read: Callable[[], Awaitable[bytes]],
    write: Callable[[bytes], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
) -> None:
    with contextlib.suppress(OSError, multiplex.StreamReset):
        while data := await read():
            await write(data)
        await end()
