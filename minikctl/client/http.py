"""The CLI's way to an API server: synchronous, on the standard library alone.

Imports are kept to what every command needs; TLS is loaded only for https.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from minikctl import errors

if TYPE_CHECKING:
    import ssl

    from minikctl.client.kubeconfig import Endpoint

AGENT = "minikctl"


class ConnectionRefused(errors.MinikctlError):
    """No API server answers at that address."""


@dataclass(frozen=True)
class Response:
    """A whole answer; ``warnings`` are the texts of its Warning headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    warnings: tuple[str, ...] = ()

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


class Stream:
    """An answer that is read while it grows; close it to end it."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def lines(self) -> Iterator[bytes]:
        """Yield each line as it comes, until the server ends the stream."""
        try:
            while line := self._response.readline():
                yield line
        except (http.client.HTTPException, OSError, AttributeError):
            return

    def chunks(self) -> Iterator[bytes]:
        """Yield bytes as they come, until the server ends the stream."""
        try:
            while data := self._response.read1(65536):
                yield data
        except (http.client.HTTPException, OSError, AttributeError):
            return

    def close(self) -> None:
        """End the stream, also from another thread."""
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


class HttpClient:
    """One keep-alive connection for requests, one more for each open stream."""

    def __init__(self, endpoint: Endpoint, *, timeout_seconds: float | None = None) -> None:
        self.endpoint = endpoint
        self._url = urlsplit(endpoint.server)
        self._timeout = timeout_seconds
        self._tls: ssl.SSLContext | None = None
        self._idle: http.client.HTTPConnection | None = None

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request and return its answer; a failure that the server reports is a ``StatusError``.

        ``body`` is sent as JSON unless it is bytes already.
        """
        target, sent, data = self._prepare(path, body, query, headers)
        response = self._exchange(method, target, data, sent)
        content = response.read()
        warnings = tuple(_warning(text) for text in response.headers.get_all("Warning") or ())
        if response.status >= 400:
            raise _failure(response.status, content)
        return Response(response.status, dict(response.headers.items()), content, warnings)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Stream:
        """Send a request whose answer is read while it grows."""
        target, sent, data = self._prepare(path, None, query, headers)
        connection = self._connect(timeout=None)
        with _reported(self._host()):
            connection.request(method, target, data, sent)
            response = connection.getresponse()
        if response.status >= 400:
            content = response.read()
            connection.close()
            raise _failure(response.status, content)
        return Stream(connection, response)

    def close(self) -> None:
        """Close the idle connection."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    def tls(self) -> ssl.SSLContext:
        """Return the TLS settings of the endpoint."""
        if self._tls is None:
            self._tls = tls_context(self.endpoint)
        return self._tls

    def authorization(self) -> dict[str, str]:
        """Return the headers that authenticate."""
        if self.endpoint.token:
            return {"Authorization": f"Bearer {self.endpoint.token}"}
        if self.endpoint.username:
            import base64

            pair = f"{self.endpoint.username}:{self.endpoint.password}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    def url_path(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return the request target: the server's base path, the path, the query."""
        chosen = [(key, value) for key, value in (query or {}).items() if value not in (None, "", False)]
        text = urlencode([(key, _query_text(value)) for key, value in chosen], doseq=True)
        return self._url.path.rstrip("/") + path + (f"?{text}" if text else "")

    def _prepare(
        self, path: str, body: Any, query: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> tuple[str, dict[str, str], bytes | None]:
        sent = {"Accept": "application/json", "User-Agent": AGENT, **self.authorization(), **(headers or {})}
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        return self.url_path(path, query), sent, data

    def _exchange(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        fresh = self._idle is None
        connection = self._idle or self._connect(self._timeout)
        self._idle = connection
        try:
            with _reported(self._host()):
                try:
                    connection.request(method, target, data, headers)
                    return connection.getresponse()
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    if fresh:
                        raise
                    # The server closed a connection that had been idle: nothing of this request was heard.
                    self.close()
                    return self._exchange(method, target, data, headers)
        except BaseException:
            self.close()
            raise

    def _host(self) -> str:
        return self._url.netloc

    def _connect(self, timeout: float | None) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "localhost", self._url.port
        connection: http.client.HTTPConnection
        if self._url.scheme == "https":
            name = self.endpoint.server_name or host
            connection = _Encrypted(host, port or 443, timeout, self.tls(), name)
        else:
            connection = http.client.HTTPConnection(host, port or 80, timeout=timeout)
        with _reported(self._host()):
            connection.connect()
        return connection


class _Encrypted(http.client.HTTPConnection):
    """Verifies the server's certificate for a name that need not be the host's."""

    def __init__(
        self, host: str, port: int, timeout: float | None, context: ssl.SSLContext, name: str
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._context = context
        self._name = name

    def connect(self) -> None:
        """Connect and shake hands."""
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


class _reported:
    """Turns connection failures into kubectl's sentences."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, ConnectionRefusedError):
            raise ConnectionRefused(
                f"The connection to the server {self._host} was refused"
                " - did you specify the right host or port?"
            ) from error
        if isinstance(error, TimeoutError):
            raise ConnectionRefused(f"Unable to connect to the server: {self._host}: timed out") from error
        if isinstance(error, OSError | http.client.HTTPException):
            raise ConnectionRefused(f"Unable to connect to the server: {error}") from error


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """Return the TLS settings that a kubeconfig entry asks for."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if endpoint.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif endpoint.ca_data:
        context.load_verify_locations(cadata=endpoint.ca_data.decode())
    else:
        context.load_default_certs()
    if endpoint.cert_data:
        _load_client_pair(context, endpoint)
    return context


def _load_client_pair(context: ssl.SSLContext, endpoint: Endpoint) -> None:
    import os
    import tempfile

    # ssl takes a key pair from files only; the file is for the owner alone and goes at once.
    with tempfile.NamedTemporaryFile(delete=False) as pair:
        pair.write(endpoint.cert_data + b"\n" + endpoint.key_data)
    try:
        context.load_cert_chain(pair.name)
    finally:
        os.unlink(pair.name)


def _failure(status: int, content: bytes) -> errors.StatusError:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        return errors.StatusError.from_status(found)
    text = content.decode(errors="replace").strip() or f"HTTP status {status}"
    return errors.StatusError(status, "", text)


def _warning(header: str) -> str:
    """Return the text of a Warning header such as ``299 - "unknown field"``."""
    _, _, quoted = header.partition(' "')
    return quoted.rstrip('"').replace('\\"', '"') if quoted else header


def _query_text(value: Any) -> str | list[str]:
    if value is True:
        return "true"
    return [str(item) for item in value] if isinstance(value, list | tuple) else str(value)


def path_of(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the REST path of a collection, an object or a subresource."""
    parts = ["api" if "/" not in api_version else "apis", api_version]
    if namespace:
        parts += ["namespaces", quote(namespace, safe="")]
    parts.append(plural)
    parts += [quote(part, safe="") for part in (name, subresource) if part]
    return "/" + "/".join(parts)
