"""HTTPS requests that the API server makes itself, to webhooks and aggregated APIs.

What fails is worded as Go's client words it, because that is what users know and look for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import functools
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minikctl.drivers import dialing

if TYPE_CHECKING:
    import h11

ANSWER_LIMIT = 16 * 1024 * 1024
"""A longer answer is an error."""
IDLE_SECONDS, IDLE_LINES = 30.0, 8
"""So long, and so many to one server, connections that nobody uses are kept."""
_CHUNK = 64 * 1024
_UNKNOWN_AUTHORITY = frozenset((2, 18, 19, 20, 21))
"""OpenSSL's codes for chains that end in nobody who is trusted."""
_EXPIRED, _WRONG_NAME = frozenset((9, 10)), frozenset((62, 64))


class CallFailed(Exception):
    """There was no answer; the text says why."""


@dataclass(frozen=True)
class Server:
    """Where to connect, and who has to be there.

    ``authority`` is what URL and Host header name, ``name`` whom the certificate has to prove; ``bundle`` is
    PEM in base64, "" for the system's authorities; ``identity`` are the paths of our own certificate and key.
    """

    host: str
    port: int
    authority: str
    name: str
    bundle: str = ""
    insecure: bool = False
    identity: tuple[str, str] | None = None
    dialer: dialing.Dialer = dialing.DIRECT
    """What connects."""


@dataclass(frozen=True)
class Reply:
    """A whole answer; names of headers are in lower case."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@functools.lru_cache(maxsize=128)
def context(bundle: str, *, insecure: bool, identity: tuple[str, str] | None) -> ssl.SSLContext:
    """Return how TLS is spoken with a server; ``CallFailed`` when the bundle holds no certificates."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if insecure:
        found.check_hostname = False
        found.verify_mode = ssl.CERT_NONE
    elif bundle:
        try:
            found.load_verify_locations(cadata=base64.b64decode(bundle).decode("ascii"))
        except (binascii.Error, UnicodeDecodeError, ssl.SSLError):
            text = "unable to load root certificates: unable to parse bytes as PEM block"
            raise CallFailed(text) from None
    else:
        found.load_default_certs()
    if identity is not None:
        found.load_cert_chain(*identity)
    return found


async def connect(
    server: Server, seconds: float | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection with the server's certificate checked, within that time if there is one."""
    secure = context(server.bundle, insecure=server.insecure, identity=server.identity)
    try:
        async with asyncio.timeout(seconds):
            return await _opened(server, secure)
    except TimeoutError as error:
        raise CallFailed(f"dial tcp {server.host}:{server.port}: i/o timeout") from error


async def _opened(
    server: Server, secure: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await server.dialer.open(server.host, server.port, ssl=secure, server_hostname=server.name)
    except ssl.SSLCertVerificationError as error:
        raise CallFailed(f"tls: failed to verify certificate: {_distrust(error, server)}") from error
    except ssl.SSLError as error:
        raise CallFailed(f"remote error: tls: {(error.reason or str(error)).lower()}") from error
    except ConnectionResetError as error:
        raise CallFailed("EOF") from error
    except OSError as error:
        raise CallFailed(f"dial tcp {server.host}:{server.port}: connect: {_words(error)}") from error


class _Line:
    """A connection, for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import h11  # loaded when the first request is made: the API's start does not wait for it

        self._http = h11.Connection(h11.CLIENT)
        self._reader = reader
        self._writer = writer
        self.end: asyncio.TimerHandle | None = None
        """What ends it when nobody needs it for long."""

    async def exchange(self, head: h11.Request, body: bytes) -> Reply:
        """Send a request and return its answer; afterwards, or after a failure, see ``is_open``."""
        import h11

        try:
            sent = self._http.send(head) or b""
            sent += (self._http.send(h11.Data(data=body)) or b"") if body else b""
            self._writer.write(sent + (self._http.send(h11.EndOfMessage()) or b""))
            await self._writer.drain()
            reply = await _answer(self._http, self._reader)
        except (OSError, h11.ProtocolError) as error:
            raise CallFailed(_broken(error)) from error
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return reply

    @property
    def is_open(self) -> bool:
        """Tell whether another request can be sent, as far as is known here."""
        import h11

        return (
            self._http.our_state is h11.IDLE and not self._reader.at_eof() and not self._writer.is_closing()
        )

    def close(self) -> None:
        """End it, not in turn: a server that does not answer would have us wait."""
        if self.end is not None:
            self.end.cancel()
        self._writer.transport.abort()


class Lines:
    """Connections to servers that are asked again and again; those that nobody needs end after a while."""

    def __init__(self) -> None:
        self._idle: dict[Server, list[_Line]] = {}

    async def post(self, server: Server, target: str, body: bytes, seconds: float) -> Reply:
        """Send JSON and return the answer, within that time; ``CallFailed`` names the request, as Go does.

        A request on a connection that the server has ended meanwhile is sent once more, on a new one.
        """
        head = _head("POST", server, target, len(body))
        with _named("Post", server, target):
            async with asyncio.timeout(seconds):
                known = self._take(server)
                if known is not None:
                    with contextlib.suppress(CallFailed):
                        return await self._exchanged(server, known, head, body)
                return await self._exchanged(server, _Line(*await connect(server)), head, body)

    async def _exchanged(self, server: Server, line: _Line, head: h11.Request, body: bytes) -> Reply:
        is_done = False
        try:
            reply = await line.exchange(head, body)
            is_done = True
        finally:
            if is_done and line.is_open and len(self._idle.get(server, ())) < IDLE_LINES:
                line.end = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._drop, server, line)
                self._idle.setdefault(server, []).append(line)
            else:
                line.close()
        return reply

    def _take(self, server: Server) -> _Line | None:
        while idle := self._idle.get(server):
            line = idle.pop()
            if not idle:
                del self._idle[server]
            if line.end is not None:
                line.end.cancel()
            if line.is_open:
                return line
            line.close()
        return None

    def _drop(self, server: Server, line: _Line) -> None:
        line.close()
        idle = [each for each in self._idle.pop(server, []) if each is not line]
        if idle:
            self._idle[server] = idle

    def close(self) -> None:
        """End all that are not in use."""
        for idle in self._idle.values():
            for line in idle:
                line.close()
        self._idle.clear()


async def fetch(server: Server, target: str, seconds: float, headers: dict[str, str] | None = None) -> Reply:
    """Return the answer to a GET, within that time; ``CallFailed`` names the request, as Go does."""
    head = _head("GET", server, target, None, {"connection": "close", **(headers or {})})
    with _named("Get", server, target):
        async with asyncio.timeout(seconds):
            line = _Line(*await connect(server))
            try:
                return await line.exchange(head, b"")
            finally:
                line.close()


@contextlib.contextmanager
def _named(method: str, server: Server, target: str) -> Iterator[None]:
    """Have failures during the block name the request."""
    try:
        yield
    except TimeoutError as error:
        text = "context deadline exceeded"
        raise CallFailed(f'{method} "https://{server.authority}{target}": {text}') from error
    except CallFailed as error:
        raise CallFailed(f'{method} "https://{server.authority}{target}": {error}') from error


def _head(
    method: str, server: Server, target: str, length: int | None, more: dict[str, str] | None = None
) -> h11.Request:
    import h11

    headers = {
        "host": server.authority,
        "accept": "application/json",
        "user-agent": "kube-apiserver-admission",
    }
    if length is not None:
        headers.update({"content-type": "application/json", "content-length": str(length)})
    headers.update(more or {})
    return h11.Request(method=method, target=target, headers=list(headers.items()))


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> Reply:
    import h11

    status, size = 0, 0
    parts: list[bytes] = []
    headers: tuple[tuple[str, str], ...] = ()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = tuple(
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
            )
        elif isinstance(event, h11.Data):
            parts.append(bytes(event.data))
            size += len(parts[-1])
            if size > ANSWER_LIMIT:
                raise CallFailed(f"the answer is longer than {ANSWER_LIMIT} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return Reply(status, b"".join(parts), headers)
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise CallFailed("EOF")


def _broken(error: Exception) -> str:
    import h11

    if isinstance(error, ConnectionResetError | h11.RemoteProtocolError | ssl.SSLEOFError):
        return "EOF"
    return _words(error) if isinstance(error, OSError) else str(error)


def _words(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    # asyncio joins the failures of several addresses into one without a code of its own.
    text = re.sub(r"^\[Errno -?\d+\] ", "", error.strerror or str(error))
    return re.sub(r"^Connect call failed.*", "connection refused", text).lower()


def _distrust(error: ssl.SSLCertVerificationError, server: Server) -> str:
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return "x509: certificate signed by unknown authority"
    if error.verify_code in _EXPIRED:
        return "x509: certificate has expired or is not yet valid"
    if error.verify_code in _WRONG_NAME:
        return f"x509: certificate is not valid for any names, but wanted to match {server.name}"
    return f"x509: {error.verify_message}"
