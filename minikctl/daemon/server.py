"""Serving the API over TLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from minikctl import errors
from minikctl.apiserver.pki import Pki
from minikctl.daemon.upgrades import UpgradingProtocol

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
BACKLOG = 512
CLOSE_SECONDS = 3
"""So long open requests may take to end when the server stops."""
FLUSH_SECONDS = 0.05
"""So long their last bytes have to leave."""


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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let open requests end; unlike uvicorn's own way, idle TLS connections are not waited for."""
        for server in self.servers:
            server.close()
        for sock in sockets or ():
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(self.server_state.tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
        await asyncio.sleep(FLUSH_SECONDS)


class Server:
    """Serves an ASGI application until stopped: on a loopback port with TLS, and on a Unix socket without.

    Only the owner of the state directory gets at the Unix socket; it spares the CLI the cost of TLS.
    """

    def __init__(self, app: Any, sock: socket.socket, pki: Pki, path: str = "") -> None:
        self._sock = sock
        self._path = path
        self._tls = _Uvicorn(_config(app, ssl_certfile=pki.cert_file, ssl_keyfile=pki.key_file))
        self._local = _Uvicorn(_config(app, uds=path)) if path else None

    @property
    def address(self) -> str:
        """Return the URL that clients use."""
        host, port = self._sock.getsockname()[:2]
        return f"https://{host}:{port}"

    async def run(self, on_started: Callable[[], None]) -> None:
        """Serve until ``stop``; ``on_started`` is called as soon as requests are answered."""
        self._tls.on_started = on_started
        async with asyncio.TaskGroup() as group:
            if self._local is not None:
                started = asyncio.Event()
                self._local.on_started = started.set
                _unlink(self._path)  # one that was killed leaves it
                group.create_task(self._local.serve(), name="api on the unix socket")
                await started.wait()
                os.chmod(self._path, 0o600)
            group.create_task(self._tls.serve(sockets=[self._sock]), name="api on loopback")
        _unlink(self._path)

    def stop(self) -> None:
        """Take no more requests and let ``run`` return once the open ones have ended."""
        for server in (self._tls, self._local):
            if server is not None:
                server.should_exit = True
                server.stopping.set()


def _config(app: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=UpgradingProtocol,
        ws="websockets-sansio",
        # A client whose input waits for a slow process does not get to answering pings either.
        ws_ping_timeout=None,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        # kubectl and client libraries keep connections for minutes; closing them early costs a handshake.
        timeout_keep_alive=180,
        **more,
    )


def _unlink(path: str) -> None:
    if path:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
