"""Requests through real proxies on loopback: they reach the server, and what fails is told."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from minikctl import errors
from minikctl.apiserver import pki
from minikctl.client import proxying
from minikctl.client.endpoint import Endpoint
from minikctl.client.home import ClusterHome
from minikctl.client.http import ConnectionRefused, HttpClient
from minikctl.client.settings import ClusterSettings

PAIR = "Basic " + base64.b64encode(b"me:secret word").decode()


class Server(BaseHTTPRequestHandler):
    """Answers with a JSON document."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "9")
        self.end_headers()
        self.wfile.write(b'{"a": 12}')

    def do_POST(self) -> None:
        """Send back what came."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Proxy(threading.Thread):
    """Takes clients to where they want; ``asked`` is what each wanted."""

    def __init__(self, *, secret: bool = False, refuses: bool = False) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.asked: list[str] = []
        self.secret, self.refuses = secret, refuses

    def run(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Take one client to where it wants."""
        with closing(client), suppress(OSError):
            target = self.greeted(client)
            if target is not None:
                self.asked.append(f"{target[0]}:{target[1]}")
                self.passed(client, target)

    def greeted(self, client: socket.socket) -> tuple[str, int] | None:
        """Return where the client wants to; None if it is refused."""
        return None

    def passed(self, client: socket.socket, target: tuple[str, int]) -> None:
        """Carry the bytes of one connection."""
        with socket.create_connection(target) as server:
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join(5)


class Connecting(Proxy):
    """An HTTP proxy."""

    def greeted(self, client: socket.socket) -> tuple[str, int] | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        lines = head.decode().split("\r\n")
        if self.refuses or (self.secret and f"Proxy-Authorization: {PAIR}" not in lines):
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return None
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        host, _, port = lines[0].split()[1].rpartition(":")
        return host, int(port)


class Socks(Proxy):
    """A SOCKS5 proxy."""

    def greeted(self, client: socket.socket) -> tuple[str, int] | None:
        methods = client.recv(client.recv(2)[1])
        client.sendall(b"\x05\x02" if self.secret else b"\x05\x00")
        if self.secret:
            if 2 not in methods:
                return None
            user = client.recv(client.recv(2)[1])
            is_known = (user, client.recv(client.recv(1)[0])) == (b"me", b"secret word")
            client.sendall(b"\x01\x00" if is_known else b"\x01\x01")
            if not is_known:
                return None
        kind = client.recv(4)[3]
        host = socket.inet_ntoa(client.recv(4)) if kind == 1 else client.recv(client.recv(1)[0]).decode()
        (port,) = struct.unpack(">H", client.recv(2))
        client.sendall(b"\x05" + (b"\x05" if self.refuses else b"\x00") + b"\x00\x01" + bytes(6))
        return None if self.refuses else (host, port)


class Encrypted(Connecting):
    """An HTTP proxy that speaks TLS."""

    def __init__(self, certificate: str, key: str, *, secret: bool = False) -> None:
        super().__init__(secret=secret)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        self.listener = tls.wrap_socket(self.listener, server_side=True)

    def passed(self, client: socket.socket, target: tuple[str, int]) -> None:
        """Carry the bytes in one thread: TLS cannot be read and written by two at once."""
        with socket.create_connection(target) as server:
            ends = {client: server, server: client}
            for end in ends:
                end.settimeout(0.01)
            while True:
                for source, sink in ends.items():
                    try:
                        data = source.recv(65536)
                    except TimeoutError:
                        continue
                    if not data:
                        return
                    sink.settimeout(10)
                    sink.sendall(data)
                    sink.settimeout(0.01)


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes until the end of one side."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()


def through(proxy: Proxy, url: str, server: str) -> object:
    proxy.start()
    try:
        with HttpClient(Endpoint(f"http://{server}", proxy=url.format(proxy.place))) as client:
            return client.request("GET", "/").json()
    finally:
        proxy.listener.close()


@pytest.mark.parametrize(
    ("kind", "url", "secret"),
    [
        (Connecting, "http://{}", False),
        (Connecting, "http://me:secret%20word@{}", True),
        (Socks, "socks5://{}", False),
        (Socks, "socks5h://me:secret%20word@{}", True),
    ],
)
def test_a_request_goes_through_the_proxy(kind: type[Proxy], url: str, secret: bool, server: str) -> None:
    proxy = kind(secret=secret)
    assert through(proxy, url, server) == {"a": 12}
    assert proxy.asked == [server]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> pki.Pki:
    home = ClusterHome("lab", str(tmp_path_factory.mktemp("keys")))
    return pki.ensure(home, ClusterSettings("lab"))


@pytest.fixture
def secure(server: str, keys: pki.Pki) -> Iterator[str]:
    """Yield the address of a server that speaks TLS and sends back what it is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.cert_file, keys.key_file)
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as found:
        found.socket = context.wrap_socket(found.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{found.server_port}"
        found.shutdown()


def test_a_proxy_may_speak_tls_itself(keys: pki.Pki, secure: str) -> None:
    """TLS within TLS, with much in both directions."""
    proxy = Encrypted(keys.cert_file, keys.key_file, secret=True)
    proxy.start()
    url = f"https://me:secret%20word@{proxy.place}"
    many = os.urandom(2_000_000)
    with HttpClient(Endpoint(f"https://{secure}", ca_data=keys.ca_pem, proxy=url)) as client:
        assert client.request("GET", "/").json() == {"a": 12}
        assert client.request("POST", "/", many).body == many
        assert client.request("GET", "/").json() == {"a": 12}
    assert proxy.asked == [secure]
    proxy.listener.close()


def test_a_proxy_that_speaks_tls_has_to_be_known(keys: pki.Pki, server: str) -> None:
    proxy = Encrypted(keys.cert_file, keys.key_file)
    proxy.start()
    with (
        HttpClient(Endpoint(f"http://{server}", proxy=f"https://{proxy.place}")) as client,
        pytest.raises(ConnectionRefused, match="certificate"),
    ):
        client.request("GET", "/")
    proxy.listener.close()


def test_socks_gets_names_as_they_are(server: str) -> None:
    proxy = Socks()
    port = server.partition(":")[2]
    assert through(proxy, "socks5://{}", f"localhost:{port}") == {"a": 12}
    assert proxy.asked == [f"localhost:{port}"]


@pytest.mark.parametrize(
    ("kind", "options", "url", "said"),
    [
        (Connecting, {"refuses": True}, "http://{}", "Proxy Authentication Required"),
        (Connecting, {"secret": True}, "http://me:wrong@{}", "Proxy Authentication Required"),
        (Socks, {"refuses": True}, "socks5://{}", "connection refused"),
        (Socks, {"secret": True}, "socks5://me:wrong@{}", "authentication failed"),
        (Socks, {"secret": True}, "socks5://{}", "takes no way of authentication"),
    ],
)
def test_what_a_proxy_refuses_is_told(
    kind: type[Proxy], options: dict[str, bool], url: str, said: str, server: str
) -> None:
    with pytest.raises(ConnectionRefused, match=f"Unable to connect to the server: .*{said}"):
        through(kind(**options), url, server)


def test_a_proxy_that_is_not_there_or_unknown_is_told(server: str) -> None:
    with socket.socket() as held:  # bound and not listening: refused for certain
        held.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{held.getsockname()[1]}"
        client = HttpClient(Endpoint(f"http://{server}", proxy=f"http://{place}"))
        with pytest.raises(ConnectionRefused, match=f"proxyconnect tcp: {place}: Connection refused"):
            client.request("GET", "/")
    with pytest.raises(
        errors.UsageError, match="it has to be http://HOST:PORT, https://HOST:PORT or socks5://"
    ):
        HttpClient(Endpoint(f"http://{server}", proxy="ftp://x")).request("GET", "/")


def test_the_environment_names_a_proxy_unless_the_server_is_exempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "p:3128")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8, .inside, example.com, *.wild.net,other.org:99, nonsense/x")
    for host in ("example.org", "wild.net", "inside", "other.org", "11.0.0.1", "notexample.com"):
        assert proxying.of_environment("https", host, 443) == "http://p:3128", host
    direct = (
        "localhost",
        "127.0.0.9",
        "::1",
        "10.1.2.3",
        "a.inside",
        "example.com",
        "A.Example.com",
        "x.wild.net",
    )
    for host in direct:
        assert proxying.of_environment("https", host, 443) == "", host
    assert proxying.of_environment("https", "other.org", 99) == ""
    assert proxying.of_environment("http", "example.org", 80) == ""
    monkeypatch.setenv("NO_PROXY", "*")
    assert proxying.of_environment("https", "example.org", 443) == ""
