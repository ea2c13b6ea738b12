"""Serving the API over TLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from minikctl import errors
from minikctl.apiserver.pki import Pki

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
BACKLOG = 512
CLOSE_SECONDS = 3
"""So long open requests may take to end when the server stops."""


def listen(port: int) -> socket.socket:
    """Return a listening socket on loopback; another port is taken if that one is in use by others."""
    for wanted in (port, 0):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # After a restart, connections of the last process must not keep us from its port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock.bind((HOST, wanted))
            sock.listen(BACKLOG)
        except OSError as error:
            sock.close()
            if wanted and error.errno == errno.EADDRINUSE:
                logger.warning("port %d is in use by another program: taking another one", wanted)
                continue
            raise errors.UsageError(f"cannot listen on {HOST}:{wanted}: {error.strerror}") from error
        return sock
    raise AssertionError("port 0 is never in use")


class _Uvicorn(uvicorn.Server):
    """Leaves signals to the process, and tells when it answers."""

    on_started: Callable[[], None]

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        self.on_started()

    async def main_loop(self) -> None:
        """Wait until stopped; nothing here needs uvicorn's ten ticks a second."""
        await self.stopping.wait()


class Server:
    """Serves an ASGI application on a socket until stopped."""

    def __init__(self, app: Any, sock: socket.socket, pki: Pki) -> None:
        self._sock = sock
        config = uvicorn.Config(
            app,
            ssl_certfile=pki.cert_file,
            ssl_keyfile=pki.key_file,
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            backlog=BACKLOG,
            # kubectl and client libraries keep connections for minutes; closing them early costs a handshake.
            timeout_keep_alive=180,
            timeout_graceful_shutdown=CLOSE_SECONDS,
            h11_max_incomplete_event_size=1 << 20,
        )
        self._server = _Uvicorn(config)

    @property
    def address(self) -> str:
        """Return the URL that clients use."""
        host, port = self._sock.getsockname()[:2]
        return f"https://{host}:{port}"

    async def run(self, on_started: Callable[[], None]) -> None:
        """Serve until ``stop``; ``on_started`` is called as soon as requests are answered."""
        self._server.on_started = on_started
        await self._server.serve(sockets=[self._sock])

    def stop(self) -> None:
        """Take no more requests and let ``run`` return once the open ones have ended."""
        self._server.should_exit = True
        self._server.stopping.set()
