"""HTTP requests that turn into another protocol, for an ASGI server that knows only WebSocket.

A request that asks for an upgrade reaches the application like any other, authentication and all; its scope
has an extension that answers 101 and returns the connection as a pipe of bytes.  WebSocket goes uvicorn's
own way, but for the ``proxy`` subresources and what other servers answer for: there every protocol is
passed on without looking at it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.server import ServerProtocol

from minikctl.apiserver import http_paths
from minikctl.apiserver.http_exchange import BREAK_OFF, UPGRADE, Header

_HIGH_WATER = 256 * 1024


class UpgradingProtocol(HttpToolsProtocol):
    """uvicorn's protocol that also hands connections over."""

    pipe: RawPipe | None = None

    def is_others(self, path: str) -> bool:  # noqa: ARG002
        """Tell whether another server answers for a path."""
        return False

    def _should_upgrade(self) -> bool:
        if not super()._should_upgrade():
            return False
        path = self.url.partition(b"?")[0].decode("latin-1")
        return not http_paths.proxied_tail(path)[0] and not self.is_others(path)

    def on_headers_complete(self) -> None:
        """Offer the application what the client asks for."""
        super().on_headers_complete()
        off = functools.partial(self._break_off, self.cycle)
        self.scope["extensions"] = {BREAK_OFF: {"off": off}}
        if self.parser.should_upgrade() and not self._should_upgrade():
            # What the client sends next need not be HTTP: the connection is of no use after a refusal.
            self.cycle.keep_alive = False
            self.pipe = RawPipe(self)
            self.scope["extensions"][UPGRADE] = {"switch": self._switch}

    def data_received(self, data: bytes) -> None:
        """Parse HTTP, and pass on what comes after it."""
        if self.pipe is not None and self.pipe.begun:
            self.pipe.feed(data)
            return
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self.pipe is None:
                self.handle_websocket_upgrade()
            else:
                self.pipe.begun = True
                self.pipe.feed(data[upgrade.args[0] :])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the pipe."""
        super().connection_lost(exc)
        if self.pipe is not None:
            self.pipe.lose()

    def _break_off(self, cycle: RequestResponseCycle) -> None:
        """Close the connection in the middle of an answer, so that the client learns that it is not whole."""
        cycle.response_started = cycle.response_complete = True
        self.transport.close()

    async def _switch(self, status: int, headers: Iterable[Header]) -> RawPipe:
        """Send the head of the answer and return the connection."""
        assert self.pipe is not None
        self.cycle.response_started = self.cycle.response_complete = True
        lines = [STATUS_LINE[status], *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n"]
        self.transport.write(b"".join(lines))
        return self.pipe


class _ServerProtocol(ServerProtocol):
    """Leaves the offered protocols to the application."""

    def process_subprotocol(self, headers: Headers) -> None:
        """Read nothing."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, for which a client's broken text is no failure of the server.

    The application chooses among the protocols that are offered.  They need not be tokens (RFC 6455, 4.1):
    ``SPDY/3.1+portforward.k8s.io`` is none.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.conn = _ServerProtocol(
            extensions=self.conn.available_extensions, max_size=self.config.ws_max_size, logger=self.logger
        )

    def send_receive_event_to_app(self) -> None:
        """Hand a message over; text that is none ends the connection (RFC 6455, 8.1)."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()


class RawPipe:
    """The bytes of a connection that is no longer HTTP; fits ``client.multiplex.Pipe``."""

    def __init__(self, protocol: UpgradingProtocol) -> None:
        self.begun = False
        self._protocol = protocol
        self._data = bytearray()
        self._changed = asyncio.Event()
        self._lost = False
        self._paused = False

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        while not self._data and not self._lost:
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._data)
        self._data.clear()
        if self._paused and not self._lost:
            self._paused = False
            self._protocol.flow.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more.  ``OSError`` when the client is gone."""
        if self._lost or self._protocol.transport.is_closing():
            raise BrokenPipeError("the client is gone")
        self._protocol.transport.write(data)
        if self._protocol.flow.write_paused:
            await self._protocol.flow.drain()

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        self._protocol.transport.close()

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._data += data
        self._changed.set()
        if len(self._data) > _HIGH_WATER and not self._paused:
            self._paused = True
            self._protocol.flow.pause_reading()

    def lose(self) -> None:
        """Note that no more will come."""
        self._lost = True
        self._changed.set()
