"""Exec's WebSocket from the client's side, over TLS."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from minikctl.apiserver import pki
from minikctl.client.channels import PROTOCOLS, STDIN, STDOUT, ChannelStream
from minikctl.client.endpoint import Endpoint
from minikctl.client.home import ClusterHome
from minikctl.client.http import ConnectionRefused, HttpClient
from minikctl.client.settings import ClusterSettings


class Watched(ssl.SSLSocket):
    """Notes which threads read and write it."""

    users: set[int]

    def read(self, *arguments: Any) -> Any:
        """Read, and note who did."""
        self.users.add(threading.get_ident())
        return super().read(*arguments)

    def send(self, *arguments: Any) -> int:
        """Write, and note who did."""
        self.users.add(threading.get_ident())
        return super().send(*arguments)

    def sendall(self, *arguments: Any) -> None:
        """Write, and note who did."""
        self.users.add(threading.get_ident())
        return super().sendall(*arguments)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    home = ClusterHome("lab", str(tmp_path_factory.mktemp("keys")))
    return pki.ensure(home, ClusterSettings("lab"))


@pytest.fixture
def server(keys: pki.Pki) -> Iterator[str]:
    """Yield the address of a process that says what it hears."""

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            if message[0] == STDIN:
                await connection.send(bytes([STDOUT]) + message[1:])

    def run() -> None:
        asyncio.run(serving())

    async def serving() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(keys.cert_file, keys.key_file)
        over = asyncio.Event()
        async with serve(echo, "127.0.0.1", 0, ssl=tls, subprotocols=PROTOCOLS, max_size=None) as found:
            told.append((asyncio.get_running_loop(), over, found.sockets[0].getsockname()[1]))
            ready.set()
            await over.wait()

    told: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = []
    ready = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    loop, over, port = told[0]
    yield f"https://127.0.0.1:{port}"
    loop.call_soon_threadsafe(over.set)
    thread.join(10)


def test_one_thread_alone_uses_a_connections_tls(
    server: str, keys: pki.Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL keeps one state for both directions: used by two threads it loses the handshake's answer."""
    users: set[int] = set()
    monkeypatch.setattr(Watched, "users", users, raising=False)
    monkeypatch.setattr(ssl.SSLContext, "sslsocket_class", Watched)
    with HttpClient(Endpoint(server, ca_data=keys.ca_pem)) as client:
        remote = ChannelStream(client, "/exec", {})
        much = bytes(3_000_000)
        writing = threading.Thread(target=remote.write, args=(much,))
        writing.start()
        assert next(remote.read()) == (STDOUT, much)
        writing.join()
        remote.close()
    assert len(users) == 1, "threads that read or wrote"
    assert threading.get_ident() not in users


def test_a_server_that_does_not_listen_is_told(server: str, keys: pki.Pki) -> None:
    host, _, port = server.rpartition(":")
    nobody = f"{host}:1"
    assert port != "1"
    with (
        HttpClient(Endpoint(nobody, ca_data=keys.ca_pem)) as client,
        pytest.raises(ConnectionRefused, match=r"127\.0\.0\.1:1 was refused"),
    ):
        ChannelStream(client, "/exec", {})
