"""The CLI's way to an API server: synchronous, on the standard library alone.

Imports are kept to what every command needs; TLS is loaded only for https.
"""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.client import lightjson, wire
from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Protocol

    from minikctl.client.endpoint import Endpoint
else:
    Protocol = object

AGENT = "minikctl"
CONNECT_SECONDS = 30.0
_PROXIES = frozenset(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"))
TIMED_OUT = "context deadline exceeded (Client.Timeout or context cancellation while reading body)"
WRITING, BOTH_WAYS = 1, 2
"""``socket.SHUT_WR`` and ``SHUT_RDWR``."""
_UNRESERVED = {ord(char): "a" for char in "-._~"}


class ConnectionRefused(errors.MinikctlError):
    """No API server answers at that address."""


class Response(Record):
    """A whole answer; header names are in lower case, ``warnings`` are the texts of Warning headers."""

    status: int
    headers: wire.Headers
    body: bytes
    warnings: tuple[str, ...] = ()

    def json(self) -> Any:
        """Return the decoded body."""
        return lightjson.loads(self.body)


class Stream:
    """An answer that is read while it grows; close it to end it."""

    def __init__(self, connection: wire.Connection, reply: wire.Reply, seconds: float | None = None) -> None:
        """``seconds``: how long it may go on; None: as long as the server lets it."""
        self._connection = connection
        self._reply = reply
        self._ends = None if seconds is None else time.monotonic() + seconds
        self._is_closed = False
        self.failure = ""
        """What broke it off, in the words of Go's client; "" when the server, or ``close``, ended it."""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lines(self) -> Iterator[bytes]:
        """Yield each line as it comes, until the server or ``close`` ends the stream."""
        yield from self._until(self._reply.lines())

    def chunks(self) -> Iterator[bytes]:
        """Yield bytes as they come, until the server or ``close`` ends the stream."""
        yield from self._until(iter(self._reply.some, b""))

    def _until(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            while True:
                if self._ends is not None:
                    self._connection.sock.settimeout(max(self._ends - time.monotonic(), 0.001))
                piece = next(pieces, None)
                if piece is None:
                    return
                yield piece
        except (wire.WireError, OSError, ValueError) as error:
            self.failure = self._told(error)

    def _told(self, error: Exception) -> str:
        if self._is_closed:
            return ""
        return TIMED_OUT if isinstance(error, TimeoutError) else str(error) or type(error).__name__

    def close(self) -> None:
        """End the stream, also from another thread."""
        self._is_closed = True
        # A reader in another thread must come out of its wait before the connection is closed.
        try:
            self._connection.sock.shutdown(BOTH_WAYS)
        except OSError:
            pass  # it is closed already
        self._connection.close()


class Observer(Protocol):
    """What is told of every request and its answer."""

    def sent(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """A request was sent."""

    def received(
        self, method: str, url: str, status: int, headers: Sequence[tuple[str, str]], body: bytes
    ) -> None:
        """Its answer is there; a stream's body is empty here."""


class HttpClient:
    """One keep-alive connection for requests, one more for each open stream."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        timeout_seconds: float | None = None,
        warn: Callable[[str], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._observer = observer
        self._warn = warn
        self._url = Url(endpoint.server)
        self._timeout = timeout_seconds
        self._tls: ssl.SSLContext | None = None
        self._idle: wire.Connection | None = None

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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
        with _reported(self._url.netloc):
            self._tell_sent(method, target, sent, data)
            reply = self._exchange(method, target, sent, data)
            content = reply.read()
        self._tell_received(method, target, reply, content)
        if self._idle is not None and not self._idle.reusable:
            self.close()
        warnings = self._warnings(reply)
        if reply.status >= 400:
            raise _failure(reply.status, content)
        return Response(reply.status, reply.headers, content, warnings)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Stream:
        """Send a request whose answer is read while it grows, for at most so many seconds."""
        target, sent, data = self._prepare(path, None, query, headers)
        with _reported(self._url.netloc):
            connection = self._connect()
            self._tell_sent(method, target, sent, data)
            try:
                connection.send(method, target, sent, data, self.endpoint.impersonation)
                reply = connection.reply(method)
                self._tell_received(method, target, reply, b"")
                self._warnings(reply)
                if reply.status < 400:
                    connection.sock.settimeout(None)
                    return Stream(connection, reply, _shorter(self._timeout, seconds))
                content = reply.read()
            except BaseException:
                connection.close()
                raise
        connection.close()
        raise _failure(reply.status, content)

    def _tell_sent(self, method: str, target: str, headers: Mapping[str, str], data: bytes | None) -> None:
        if self._observer is not None:
            fields = [*headers.items(), *self.endpoint.impersonation]
            self._observer.sent(method, self._base() + target, fields, data or b"")

    def _tell_received(self, method: str, target: str, reply: wire.Reply, content: bytes) -> None:
        if self._observer is not None:
            url = self._base() + target
            self._observer.received(method, url, reply.status, reply.headers.fields, content)

    def _base(self) -> str:
        return f"{self._url.scheme}://{self._url.netloc}"

    def _warnings(self, reply: wire.Reply) -> tuple[str, ...]:
        found = tuple(_warning(text) for text in reply.headers.all("warning"))
        for text in found if self._warn else ():
            assert self._warn is not None
            self._warn(text)
        return found

    def close(self) -> None:
        """Close the idle connection."""
        if self._idle is not None:
            self._idle.close()
            self._idle = None

    @property
    def place(self) -> str:
        """The server's host and port."""
        return self._url.netloc

    def connected(self) -> wire.Connection:
        """Return a new connection, which is the caller's to close."""
        with _reported(self._url.netloc):
            return self._connect()

    def tls(self) -> ssl.SSLContext:
        """Return the TLS settings of the endpoint."""
        if self._tls is None:
            self._tls = tls_context(self.endpoint)
        return self._tls

    def identity(self) -> list[tuple[str, str]]:
        """Return the headers that say who asks, and as whom; names may repeat."""
        return [*self.authorization().items(), *self.endpoint.impersonation]

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
        text = "&".join(f"{key}={quoted(part)}" for key, value in chosen for part in _query_texts(value))
        return self._url.path.rstrip("/") + path + (f"?{text}" if text else "")

    def _prepare(
        self, path: str, body: Any, query: Mapping[str, Any] | None, headers: Mapping[str, str] | None
    ) -> tuple[str, dict[str, str], bytes | None]:
        sent = {"Host": self._url.netloc, "Accept": "application/json", "User-Agent": AGENT}
        sent |= {**self.authorization(), **(headers or {})}
        data: bytes | None = None
        if body is not None:
            data = body if isinstance(body, bytes) else _encoded(body)
            sent.setdefault("Content-Type", "application/json")
        return self.url_path(path, query), sent, data

    def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes | None
    ) -> wire.Reply:
        is_fresh = self._idle is None
        try:
            self._idle = connection = self._idle or self._connect()
            connection.send(method, target, headers, data, self.endpoint.impersonation)
            return connection.reply(method)
        except (wire.Closed, BrokenPipeError, ConnectionResetError):
            self.close()
            if is_fresh:
                raise
        except BaseException:
            self.close()
            raise
        # The server closed a connection that had been idle: nothing of this request was heard.
        return self._exchange(method, target, headers, data)

    def _connect(self) -> wire.Connection:
        if self.endpoint.socket:
            return wire.Connection(_local(self.endpoint.socket, self._timeout))
        sock = self._secured()
        sock.settimeout(self._timeout)
        return wire.Connection(sock)

    def _secured(self) -> socket.socket:
        sock = self.dialed()
        if not self.is_encrypted:
            return sock
        try:
            return self.tls().wrap_socket(sock, server_hostname=self.server_name)
        except BaseException:
            sock.close()
            raise

    def duplex(self) -> socket.socket:
        """Return a new connection that one thread may read while another writes; it is the caller's to close.

        Without a timeout.  TLS has one state for both directions, so a thread of its own does both there.
        """
        with _reported(self._url.netloc):
            if self.endpoint.socket:
                return _local(self.endpoint.socket, None)
            sock = self._secured()
        if self.is_encrypted:
            from minikctl.client import encrypted

            return encrypted.plain(sock)
        sock.settimeout(None)
        return sock

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the server speaks TLS."""
        return self._url.scheme == "https"

    @property
    def server_name(self) -> str:
        """The name that the server's certificate has to be for."""
        return self.endpoint.server_name or self._url.hostname or "localhost"

    def dialed(self) -> socket.socket:
        """Return a new TCP connection to the server, without TLS, which is the caller's to close."""
        import os
        import socket

        host = self._url.hostname or "localhost"
        port = self._url.port or (443 if self.is_encrypted else 80)
        timeout = self._timeout or CONNECT_SECONDS
        proxy = self.endpoint.proxy
        if not proxy and _PROXIES & os.environ.keys():
            from minikctl.client import proxying

            proxy = proxying.of_environment(self._url.scheme, host, port)
        if proxy:
            from minikctl.client import proxying

            return proxying.dial(proxy, host, port, timeout, self.tls)
        sock = socket.create_connection((host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def _shorter(one: float | None, other: float | None) -> float | None:
    """Return the shorter of two spans, of which None has no end."""
    return other if one is None else one if other is None else min(one, other)


def _encoded(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()


def _local(path: str, timeout: float | None) -> socket.socket:
    # The bare socket does: what the module of that name adds takes longer to load than the request.
    import _socket

    sock: Any = _socket.socket(_socket.AF_UNIX)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    found: socket.socket = sock
    return found


class _reported:
    """Turns connection failures into kubectl's sentences."""

    def __init__(self, host: str) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, TimeoutError):
            raise ConnectionRefused(f"Unable to connect to the server: {self._host}: timed out") from error
        if isinstance(error, ConnectionRefusedError | FileNotFoundError):
            raise ConnectionRefused(
                f"The connection to the server {self._host} was refused"
                " - did you specify the right host or port?"
            ) from error
        if isinstance(error, OSError | wire.WireError):
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
        found = lightjson.loads(content)
    except ValueError:
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        return errors.StatusError.from_status(found)
    text = content.decode(errors="replace").strip() or f"HTTP status {status}"
    return errors.StatusError(status, "", text)


def _warning(header: str) -> str:
    """Return the text of a Warning header such as ``299 - "unknown field"``."""
    _, opened, rest = header.partition(' "')
    text = ""
    characters = iter(rest)
    for character in characters:
        if character == '"':
            break
        text += next(characters, "") if character == "\\" else character
    return text if opened else header


def _query_texts(value: Any) -> list[str]:
    if value is True:
        return ["true"]
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]


def quoted(text: str) -> str:
    """Return the text as it stands in a URL; ``urllib`` is loaded only for what has to be encoded."""
    if text.translate(_UNRESERVED).isalnum() and text.isascii():
        return text
    from urllib.parse import quote

    return quote(text, safe="")


class Url:
    """The parts of a server's address."""

    def __init__(self, text: str) -> None:
        self.scheme, _, rest = text.partition("://")
        self.netloc, slash, path = rest.partition("/")
        self.path = slash + path
        place = self.netloc.rpartition("@")[2]
        if place.startswith("["):
            self.hostname, _, port = place[1:].partition("]")
            port = port.removeprefix(":")
        else:
            self.hostname, _, port = place.partition(":")
        self.port = int(port) if port.isdigit() else None


def path_of(api_version: str, plural: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the REST path of a collection, an object or a subresource."""
    parts = ["api" if "/" not in api_version else "apis", api_version]
    if namespace:
        parts += ["namespaces", quoted(namespace)]
    parts.append(plural)
    parts += [quoted(part) for part in (name, subresource) if part]
    return "/" + "/".join(parts)
