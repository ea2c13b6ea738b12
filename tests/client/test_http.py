from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from minikctl import errors
from minikctl.apiserver import pki
from minikctl.client.endpoint import Endpoint
from minikctl.client.home import ClusterHome
from minikctl.client.http import ConnectionRefused, HttpClient, path_of
from minikctl.client.settings import ClusterSettings


class Handler(BaseHTTPRequestHandler):
    """Answers with what it was asked, or as the path says."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    connections: ClassVar[set[Any]] = set()

    def do_GET(self) -> None:
        self.connections.add(self.client_address)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        match self.path:
            case "/missing":
                status = errors.not_found("pods", "", "x").status()
                self.answer(404, json.dumps(status).encode())
            case "/proxy-error":
                self.answer(502, b"bad gateway\n")
            case "/hangup":
                self.close_connection = True
            case "/half":
                self.send_response(200)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
            case "/chunks":
                self.chunks([b'{"a":1}\n{"b"', b":2}\n", b"rest"])
            case "/forever":
                self.chunks([b"first\n"], end=False)
                self.rfile.read(1)  # until the client goes
            case "/warn":
                self.answer(200, b"{}", ("Warning", '299 - "unknown field \\"spec.foo\\""'))
            case "/http10":
                self.protocol_version = "HTTP/1.0"
                self.answer(200, b"old", length=False)
                self.close_connection = True
            case "/slow":
                self.rfile.read(1)  # until the client goes
            case _:
                seen = {
                    "method": self.command,
                    "path": self.path,
                    "body": body,
                    "headers": dict(self.headers),
                }
                self.answer(200, json.dumps(seen).encode())

    do_POST = do_PATCH = do_DELETE = do_GET

    def answer(self, status: int, body: bytes, *headers: tuple[str, str], length: bool = True) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunks(self, parts: list[bytes], *, end: bool = True) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in [*parts, b""] if end else parts:
            self.wfile.write(b"%x;extension\r\n%s\r\n" % (len(part), part))
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients of these tests go away as they like."""


@pytest.fixture
def server() -> Iterator[Server]:
    Handler.connections = set()
    with Server(("127.0.0.1", 0), Handler) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[HttpClient]:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}/base", token="secret")) as found:
        yield found


def test_a_request_carries_what_it_should(client: HttpClient) -> None:
    query = {
        "watch": True,
        "limit": 5,
        "none": None,
        "off": False,
        "labelSelector": "a=b,c",
        "command": ["x", "y"],
    }
    seen = client.request("POST", "/api", {"a": "é"}, query=query, headers={"Accept": "text/plain"}).json()
    assert (seen["method"], json.loads(seen["body"])) == ("POST", {"a": "é"})
    assert seen["path"] == "/base/api?watch=true&limit=5&labelSelector=a%3Db%2Cc&command=x&command=y"
    headers = seen["headers"]
    assert headers["Authorization"] == "Bearer secret"
    assert (headers["Accept"], headers["Content-Type"]) == ("text/plain", "application/json")
    assert headers["Host"] == client.endpoint.server.removeprefix("http://").removesuffix("/base")
    raw = client.request("PATCH", "/x", b"[]", headers={"Content-Type": "application/json-patch+json"}).json()
    assert (raw["body"], raw["headers"]["Content-Type"]) == ("[]", "application/json-patch+json")
    assert "Content-Length" not in client.request("DELETE", "/x").json()["headers"]


def test_basic_authentication(server: Server) -> None:
    endpoint = Endpoint(f"http://127.0.0.1:{server.server_port}", username="me", password="p")
    with HttpClient(endpoint) as client:
        assert client.request("GET", "/").json()["headers"]["Authorization"] == "Basic bWU6cA=="


def test_one_connection_serves_many_requests(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        for _ in range(3):
            client.request("GET", "/")
        with pytest.raises(errors.StatusError):
            client.request("GET", "/missing")
        client.request("GET", "/chunks")
        client.request("GET", "/")
        assert len(Handler.connections) == 1


def test_a_connection_that_was_closed_meanwhile_is_made_anew(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        client.request("GET", "/")
        with pytest.raises(ConnectionRefused, match="closed the connection without an answer"):
            client.request("GET", "/hangup")
        assert client.request("GET", "/http10").body == b"old"
        assert client.request("GET", "/").status == 200


def test_failures_are_what_the_server_says(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        for ask in (client.request, client.stream):
            with pytest.raises(errors.StatusError, match='pods "x" not found') as missing:
                ask("GET", "/missing")
            assert (missing.value.code, missing.value.reason) == (404, "NotFound")
        with pytest.raises(errors.StatusError, match=r"^bad gateway$") as other:
            client.request("GET", "/proxy-error")
        assert other.value.code == 502
        with pytest.raises(ConnectionRefused, match="Unable to connect to the server: unexpected EOF"):
            client.request("GET", "/half")


def test_warnings(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        assert client.request("GET", "/warn").warnings == ('unknown field "spec.foo"',)


def test_streams_give_lines_and_bytes(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        with client.stream("GET", "/chunks") as stream:
            assert list(stream.lines()) == [b'{"a":1}\n', b'{"b":2}\n', b"rest"]
        with client.stream("GET", "/chunks") as stream:
            assert b"".join(stream.chunks()) == b'{"a":1}\n{"b":2}\nrest'
        with client.stream("GET", "/half") as stream:
            assert b"".join(stream.chunks()) == b"half"


def test_a_stream_gives_what_there_is_and_can_be_ended_from_elsewhere(server: Server) -> None:
    with HttpClient(Endpoint(f"http://127.0.0.1:{server.server_port}")) as client:
        stream = client.stream("GET", "/forever")
        lines = stream.lines()
        begun = time.monotonic()
        assert next(lines) == b"first\n"
        threading.Timer(0.05, stream.close).start()
        assert list(lines) == []
        assert time.monotonic() - begun < 15


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that is taken, by one who does not listen: nobody else answers there meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_nobody_answers(server: Server, nobody: str, tmp_path: Path) -> None:
    sentence = f"The connection to the server {nobody} was refused - did you specify the right host or port?"
    with HttpClient(Endpoint(f"https://{nobody}")) as client, pytest.raises(ConnectionRefused) as refused:
        client.request("GET", "/")
    assert str(refused.value) == sentence
    gone = Endpoint(f"https://{nobody}", socket=str(tmp_path / "gone"))
    with HttpClient(gone) as client, pytest.raises(ConnectionRefused) as refused:
        client.request("GET", "/")
    assert str(refused.value) == sentence
    slow = Endpoint(f"http://127.0.0.1:{server.server_port}")
    late = pytest.raises(ConnectionRefused, match="timed out")
    with HttpClient(slow, timeout_seconds=0.1) as client, late:
        client.request("GET", "/slow")


@pytest.fixture
def keys(tmp_path: Path) -> pki.Pki:
    return pki.ensure(ClusterHome("lab", str(tmp_path)), ClusterSettings("lab"))


@pytest.fixture
def encrypted(server: Server, keys: pki.Pki) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.cert_file, keys.key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"https://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({}, ""),
        ({"server_name": "kubernetes.default"}, ""),
        ({"server_name": "example.org"}, "Hostname mismatch"),
        ({"ca_data": b""}, "self-signed certificate in certificate chain"),
        ({"ca_data": b"", "insecure": True}, ""),
    ],
)
def test_certificates_are_checked(encrypted: str, keys: pki.Pki, more: dict[str, Any], problem: str) -> None:
    with HttpClient(Endpoint(**{"server": encrypted, "ca_data": keys.ca_pem, **more})) as client:
        if not problem:
            assert client.request("GET", "/").status == 200
            return
        with pytest.raises(ConnectionRefused, match=problem):
            client.request("GET", "/")


def test_a_client_certificate_does_no_harm_where_none_is_asked_for(encrypted: str, keys: pki.Pki) -> None:
    cert, key = Path(keys.cert_file).read_bytes(), Path(keys.key_file).read_bytes()
    with HttpClient(Endpoint(encrypted, ca_data=keys.ca_pem, cert_data=cert, key_data=key)) as client:
        assert client.request("GET", "/").status == 200


def test_paths() -> None:
    assert path_of("v1", "pods", "default", "web", "log") == "/api/v1/namespaces/default/pods/web/log"
    assert path_of("apps/v1", "deployments") == "/apis/apps/v1/deployments"
    assert path_of("v1", "nodes", name="a/b") == "/api/v1/nodes/a%2Fb"
