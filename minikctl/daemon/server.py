"""Serving the API over TLS on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from websockets import http11

from minikctl import errors
from minikctl.apiserver.http_exchange import CERTIFICATE
from minikctl.apiserver.pki import Pki
from minikctl.daemon import memory
from minikctl.daemon.upgrades import UpgradingProtocol, WebSocketProtocol

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
BACKLOG = 512
CLOSE_SECONDS = 3
"""So long open requests may take to end when the server stops."""
UNREAD_BYTES = 64 * 1024
"""So much of an answer is held for a client that does not read it: what makes the rest waits."""
FLUSH_SECONDS = 0.05
"""So long their last bytes have to leave."""
# The command of an exec is in its address: as long as Go's server takes them, all headers together.
http11.MAX_LINE_LENGTH = 1 << 20


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


class _Protocol(UpgradingProtocol):
    """Hands a connection's client certificate on to its requests, WebSockets included."""

    trimmer: memory.Trimmer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(UNREAD_BYTES)
        secured = transport.get_extra_info("ssl_object")
        certificate = secured.getpeercert(binary_form=True) if secured is not None else None
        if certificate is not None:
            self.app_state = {**self.app_state, CERTIFICATE: certificate}

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.trimmer.ended()


class Server:
    """Serves an ASGI application until stopped: on a loopback port with TLS, and on Unix sockets.

    The one at ``path`` is without TLS: only the owner of the state directory gets at it, and it spares the
    CLI the cost.  The one at ``relay`` is with TLS: the cluster's relay pod brings other pods there.
    """

    def __init__(
        self,
        app: Any,
        sock: socket.socket,
        pki: Pki,
        path: str = "",
        relay: str = "",
        is_others: Callable[[str], bool] | None = None,
    ) -> None:
        """``is_others`` tells for which paths another server answers, whatever the protocol."""
        self._sock = sock
        self._path = path
        tls = {
            "ssl_certfile": pki.cert_file,
            "ssl_keyfile": pki.key_file,
            "ssl_ca_certs": pki.ca_file,
            "ssl_cert_reqs": ssl.CERT_OPTIONAL,
        }
        told: dict[str, Any] = {"trimmer": memory.Trimmer()}
        if is_others is not None:
            told["is_others"] = lambda _, path: is_others(path)
        protocol = type("_Protocol", (_Protocol,), told)
        self._tls = _Uvicorn(_config(app, protocol, **tls))
        self._local = _Uvicorn(_config(app, protocol, uds=path)) if path else None
        self._relay = _Uvicorn(_config(app, protocol, uds=relay, **tls)) if relay else None

    @property
    def address(self) -> str:
        """Return the URL that clients use."""
        host, port = self._sock.getsockname()[:2]
        return f"https://{host}:{port}"

    def transports(self) -> list[asyncio.Transport]:
        """Return the open connections of the loopback port, to look at what they hold."""
        return [each.transport for each in self._tls.server_state.connections]

    def tasks(self) -> int:
        """Return how many requests of the loopback port are being answered."""
        return len(self._tls.server_state.tasks)

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
            if self._relay is not None:
                self._relay.on_started = lambda: None
                group.create_task(self._relay.serve(), name="api for pods")
            group.create_task(self._tls.serve(sockets=[self._sock]), name="api on loopback")
        _unlink(self._path)

    def stop(self) -> None:
        """Take no more requests and let ``run`` return once the open ones have ended."""
        for server in (self._tls, self._local, self._relay):
            if server is not None:
                server.should_exit = True
                server.stopping.set()


def _config(app: Any, protocol: type[_Protocol], **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws=WebSocketProtocol,
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
