"""Exec's WebSocket from the client's side, over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from minikctl.apiserver import pki
from minikctl.client.channels import PROTOCOLS, STDERR, STDIN, STDOUT, ChannelStream
from minikctl.client.endpoint import Endpoint
from minikctl.client.home import ClusterHome
from minikctl.client.http import ConnectionRefused, HttpClient
from minikctl.client.settings import ClusterSettings
from minikctl.errors import StatusError, UsageError

TAKEN: queue.SimpleQueue[int] = queue.SimpleQueue()
"""How much the silent server was told, of each session; 0 for others."""
READY = (STDERR, b"ready")
SPOKEN = [Subprotocol(each) for each in PROTOCOLS]


class Watched(ssl.SSLSocket):
    """Notes which threads read and write it."""

    users: ClassVar[set[int]] = set()

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
        if connection.request is not None and connection.request.path.startswith("/pinged"):
            await (await connection.ping())
            await connection.send(bytes([STDERR]) + b"ready")
        taken = 0
        async for message in connection:
            assert isinstance(message, bytes)
            if connection.request is not None and connection.request.path.startswith("/silent"):
                taken += len(message) - 1
                await asyncio.sleep(0.002)  # so there is something left to be sent at the end
            elif message[0] == STDIN:
                await connection.send(bytes([STDOUT]) + message[1:])
        TAKEN.put(taken)

    def run() -> None:
        asyncio.run(serving())

    async def serving() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(keys.cert_file, keys.key_file)
        over = asyncio.Event()
        async with serve(echo, "127.0.0.1", 0, ssl=tls, subprotocols=SPOKEN, max_size=None) as found:
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
    monkeypatch.setattr(Watched, "users", users)
    monkeypatch.setattr(ssl.SSLContext, "sslsocket_class", Watched)
    with HttpClient(Endpoint(server, ca_data=keys.ca_pem)) as client:
        remote = ChannelStream(client, "/exec", {"stdin": True})
        much = bytes(3_000_000)
        writing = threading.Thread(target=remote.write, args=(much,))
        writing.start()
        assert next(remote.read()) == (STDOUT, much)
        writing.join()
        remote.close()
    assert len(users) == 1, "threads that read or wrote"
    assert threading.get_ident() not in users


def test_what_the_command_says_is_read_while_its_input_waits(server: str, keys: pki.Pki) -> None:
    """Otherwise a command that echoes stands still: it reads again once it is read."""
    pieces, sent = 400, threading.Semaphore(0)
    with HttpClient(Endpoint(server, ca_data=keys.ca_pem)) as client:
        remote = ChannelStream(client, "/exec", {"stdin": True})

        def write() -> None:
            for _ in range(pieces):
                remote.write(bytes(64 * 1024))
                sent.release()

        writing = threading.Thread(target=write, daemon=True)
        writing.start()
        while sent.acquire(timeout=0.5):
            """Wait until no more is taken."""
        heard = 0
        for _, data in remote.read():
            heard += len(data)
            if heard == pieces * 64 * 1024:
                break
        remote.close()
        writing.join(10)
    assert heard == pieces * 64 * 1024
    assert not writing.is_alive()


@pytest.mark.parametrize("query", [{}, {"stdin": True}])
def test_a_session_ends_when_it_is_left_also_while_it_is_read(
    server: str, keys: pki.Pki, query: dict[str, bool]
) -> None:
    """The server says that it is ready once its ping is answered, which reading does."""
    with HttpClient(Endpoint(server, ca_data=keys.ca_pem)) as client:
        remote = ChannelStream(client, "/pinged", query)
        pieces = remote.read()
        assert next(pieces) == READY
        leaving = threading.Timer(0.1, remote.leave)
        leaving.start()
        assert list(pieces) == []
        leaving.join()
        remote.close()
        remote.close()


LEAVING = """
import sys, threading
from minikctl.client.channels import ChannelStream
from minikctl.client.endpoint import Endpoint
from minikctl.client.http import HttpClient

place, authority, size = sys.argv[1:]
with HttpClient(Endpoint(place, ca_data=open(authority, "rb").read())) as client:
    remote = ChannelStream(client, "/silent", {"stdin": True})

    def write():
        for _ in range(100):
            remote.write(bytes(int(size) // 100))
        remote.leave()

    threading.Thread(target=write).start()
    for _ in remote.read():
        pass
    remote.close()
"""


def test_what_was_written_before_a_session_is_left_arrives(
    server: str, keys: pki.Pki, tmp_path: Path
) -> None:
    """Also when the process ends right after it."""
    while not TAKEN.empty():
        TAKEN.get()
    authority, size = tmp_path / "ca", 10_000_000
    authority.write_bytes(keys.ca_pem)
    for _ in range(3):
        subprocess.run(
            [sys.executable, "-c", LEAVING, server, str(authority), str(size)], check=True, timeout=30
        )
        assert TAKEN.get(timeout=10) == size


def answering(answer: bytes) -> contextlib.AbstractContextManager[str]:
    """Serve one connection with these bytes, whatever it asks."""

    @contextlib.contextmanager
    def serving() -> Iterator[str]:
        def reply() -> None:
            sock, _ = listener.accept()
            with sock:
                while b"\r\n\r\n" not in sock.recv(65536):
                    """Read on."""
                sock.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=reply)
            thread.start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            thread.join(10)

    return serving()


FORBIDDEN = b'{"kind":"Status","code":403,"reason":"Forbidden","message":"pods is forbidden"}'


@pytest.mark.parametrize(
    ("status", "body", "failure", "words"),
    [
        (b"403 Forbidden", FORBIDDEN, StatusError, "pods is forbidden"),
        (b"500 Oh", FORBIDDEN.replace(b"403", b"500"), UsageError, "upgrade connection: pods is forbidden"),
        (b"404 Not Found", b"404 page not found", UsageError, "upgrade connection: the server.*status 404"),
        (b"200 OK", b"<html>", UsageError, "upgrade connection: the server.*status 200"),
    ],
)
def test_a_refusal_is_told(status: bytes, body: bytes, failure: type[Exception], words: str) -> None:
    answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    with (
        answering(answer) as place,
        HttpClient(Endpoint(place)) as client,
        pytest.raises(failure, match=words),
    ):
        ChannelStream(client, "/exec", {})


def test_a_server_that_speaks_something_else_is_told() -> None:
    for answer in (b"HTTP/1.1 101 Switching\r\nUpgrade: SPDY/3.1\r\n\r\n", b"SSH-2.0-x\r\n"):
        with (
            answering(answer) as place,
            HttpClient(Endpoint(place)) as client,
            pytest.raises(UsageError, match="error: unable to upgrade connection"),
        ):
            ChannelStream(client, "/exec", {})


def test_a_server_that_ends_the_connection_instead_of_answering_is_named() -> None:
    """It is not asked again: the command may have begun."""
    asked = []

    def refuse() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                asked.append(sock.recv(65536))
                sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, daemon=True).start()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        said = f"error: unexpected EOF: the connection to {place} ended before its server answered"
        with HttpClient(Endpoint(f"http://{place}")) as client, pytest.raises(UsageError, match=said):
            ChannelStream(client, "/exec", {"stdin": True})
        listener.shutdown(socket.SHUT_RDWR)
    assert len(asked) == 1


def test_a_server_that_does_not_listen_is_told(server: str, keys: pki.Pki) -> None:
    host, _, port = server.rpartition(":")
    nobody = f"{host}:1"
    assert port != "1"
    with (
        HttpClient(Endpoint(nobody, ca_data=keys.ca_pem)) as client,
        pytest.raises(ConnectionRefused, match=r"127\.0\.0\.1:1 was refused"),
    ):
        ChannelStream(client, "/exec", {"stdin": True})
