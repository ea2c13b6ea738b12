"""Exec and attach over WebSocket."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from minikctl import errors
from minikctl.apiserver import channels, remote_command
from minikctl.apiserver.http_exchange import Message, Receive, Scope, Send
from minikctl.apiserver.streams import StreamRequest
from minikctl.drivers.engine import ExecSession

Opener = Callable[[], Awaitable[ExecSession]]


async def serve(connection: tuple[Scope, Receive, Send], wanted: StreamRequest, opener: Opener) -> None:
    """Run a command over a WebSocket; refuses one whose protocols are unknown."""
    scope, receive, send = connection
    protocol = channels.choose(scope.get("subprotocols") or [])
    if protocol is None:
        raise errors.bad_request(
            f"unable to upgrade: the WebSocket protocol must be one of {', '.join(channels.PROTOCOLS)}"
        )
    await receive()  # websocket.connect
    end = WebSocketEnd(protocol, receive, send)
    try:
        session = await opener()
    except errors.DriverError as error:
        await send({"type": "websocket.accept", "subprotocol": protocol or None})
        await end.finish(channels.failed(str(error)))
        return
    try:
        await send({"type": "websocket.accept", "subprotocol": protocol or None})
        await remote_command.run(session, wanted, end)
    finally:
        await session.close()


class WebSocketEnd:
    """Fits ``remote_command.ClientEnd``."""

    def __init__(self, protocol: str, receive: Receive, send: Send) -> None:
        self._protocol = protocol
        self._receive = receive
        self._send = send

    async def feed(self, session: ExecSession) -> None:
        """Hand input, its end and terminal sizes to the process; return when the client has gone."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            match channels.decode(payload(message), self._protocol):
                case channels.Stdin(data):
                    await session.write(data)
                case channels.StdinClosed():
                    await session.close_stdin()
                case channels.Resize(width, height):
                    with contextlib.suppress(errors.DriverError):
                        await session.resize(width, height)

    async def send(self, channel: int, data: bytes) -> None:
        """Send output of the process."""
        message = channels.encode(channel, data, self._protocol)
        if channels.is_text(self._protocol):
            await self._send({"type": "websocket.send", "text": message.decode()})
        else:
            await self._send({"type": "websocket.send", "bytes": message})

    async def finish(self, status: dict[str, Any]) -> None:
        """Tell the outcome and end all streams."""
        told = channels.outcome(status, structured=channels.is_structured(self._protocol))
        if told:
            await self.send(channels.STATUS, told)
        await self._send({"type": "websocket.close", "code": 1000})


def payload(message: Message) -> bytes:
    """Return the bytes of a received message, be it text or binary."""
    data = message.get("bytes")
    return bytes(data) if data is not None else str(message.get("text") or "").encode()


class WebSocketPipe:
    """Another protocol's bytes in a WebSocket's messages; fits ``client.multiplex.Pipe``."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._over = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        while not self._over:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                self._over = True
            elif data := payload(message):
                return data
        return b""

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        if not self._over:
            self._over = True
            await self._send({"type": "websocket.close", "code": 1000})
