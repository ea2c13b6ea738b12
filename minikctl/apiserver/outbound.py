"""HTTPS requests that the API server makes itself, to webhooks and aggregated APIs.

What fails is worded as Go's client words it, because that is what users know and look for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import h11

ANSWER_LIMIT = 16 * 1024 * 1024
"""A longer answer is an error."""
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
        return await asyncio.open_connection(
            server.host, server.port, ssl=secure, server_hostname=server.name
        )
    except ssl.SSLCertVerificationError as error:
        raise CallFailed(f"tls: failed to verify certificate: {_distrust(error, server)}") from error
    except ssl.SSLError as error:
        raise CallFailed(f"remote error: tls: {(error.reason or str(error)).lower()}") from error
    except ConnectionResetError as error:
        raise CallFailed("EOF") from error
    except OSError as error:
        raise CallFailed(f"dial tcp {server.host}:{server.port}: connect: {_words(error)}") from error


async def post(server: Server, target: str, body: bytes, seconds: float) -> Reply:
    """Send JSON and return the answer, within that time; ``CallFailed`` names the request, as Go does."""
    try:
        async with asyncio.timeout(seconds):
            return await _exchanged(server, _head("POST", server, target, len(body)), body)
    except TimeoutError as error:
        raise CallFailed(f'Post "https://{server.authority}{target}": context deadline exceeded') from error
    except CallFailed as error:
        raise CallFailed(f'Post "https://{server.authority}{target}": {error}') from error


async def fetch(server: Server, target: str, seconds: float, headers: dict[str, str] | None = None) -> Reply:
    """Return the answer to a GET, within that time; ``CallFailed`` names the request, as Go does."""
    try:
        async with asyncio.timeout(seconds):
            return await _exchanged(server, _head("GET", server, target, None, headers or {}), b"")
    except TimeoutError as error:
        raise CallFailed(f'Get "https://{server.authority}{target}": context deadline exceeded') from error
    except CallFailed as error:
        raise CallFailed(f'Get "https://{server.authority}{target}": {error}') from error


def _head(
    method: str, server: Server, target: str, length: int | None, more: dict[str, str] | None = None
) -> h11.Request:
    import h11  # loaded when the first request is made: the API's start does not wait for it

    headers = {
        "host": server.authority,
        "accept": "application/json",
        "user-agent": "kube-apiserver-admission",
    }
    if length is not None:
        headers.update({"content-type": "application/json", "content-length": str(length)})
    headers.update(connection="close", **(more or {}))
    return h11.Request(method=method, target=target, headers=list(headers.items()))


async def _exchanged(server: Server, head: h11.Request, body: bytes) -> Reply:
    import h11  # loaded when the first request is made: the API's start does not wait for it

    reader, writer = await connect(server)
    try:
        http = h11.Connection(h11.CLIENT)
        sent = (http.send(head) or b"") + (http.send(h11.Data(data=body)) or b"" if body else b"")
        writer.write(sent + (http.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _answer(http, reader)
    except (OSError, h11.ProtocolError) as error:
        raise CallFailed(_broken(error)) from error
    finally:
        # Not closed in turn: a server that does not answer would have us wait.
        writer.transport.abort()


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> Reply:
    import h11  # loaded when the first request is made: the API's start does not wait for it

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
    import h11  # loaded when the first request is made: the API's start does not wait for it

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
