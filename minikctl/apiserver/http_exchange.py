"""One HTTP request and its answer over plain ASGI: reading with limits, answering with compression."""

from __future__ import annotations

import asyncio
import email.utils
import gzip
import re
import time
import unicodedata
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from minikctl import errors
from minikctl.apiserver import metrics
from minikctl.apiserver.auth import ANONYMOUS, User
from minikctl.apiserver.options import Caller

if TYPE_CHECKING:
    from minikctl.client.multiplex import Pipe

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

BODY_LIMIT = 3 * 1024 * 1024
COMPRESS_FROM = 128 * 1024

_NUMBER = re.compile(r"[+-]?[0-9]+")
_DIGITS = 20
"""No number of 64 bits has more."""

JSON = "application/json"
CERTIFICATE = "client_certificate"
"""Where the server puts a connection's checked client certificate (DER) into the ASGI state."""

UPGRADE = "minikctl.upgrade"
"""The scope's extension that hands a connection over: ``{"switch": (status, headers) -> Pipe}``."""

BREAK_OFF = "minikctl.break"
"""The scope's extension that ends an answer in the middle: ``{"off": () -> None}`` closes the connection."""


class Disconnected(Exception):
    """The client has gone: there is nobody to answer."""


def is_leaving(error: BaseException) -> bool:
    """Tell whether a failure, or each in a group of them, is that the client has gone."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_leaving, error.exceptions))
    return isinstance(error, Disconnected)


class Exchange:
    """A request that is answered once."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        query = scope.get("query_string", b"").decode("latin-1")
        self.query: dict[str, str] = {}
        self.queries: dict[str, list[str]] = urllib.parse.parse_qs(query, keep_blank_values=True)
        for name, values in self.queries.items():
            self.query[name] = values[0]
        self.warnings: list[str] = []
        self.user: User = ANONYMOUS
        self.certificate: bytes | None = (scope.get("state") or {}).get(CERTIFICATE)
        self._receive = receive
        self._send = send
        self.started = False
        self.status = 0
        """The code of the answer, 0 as long as there is none."""
        self.asked = metrics.OTHER
        """What is counted when it is answered."""

    @property
    def raw_path(self) -> str:
        """Return the path as the client wrote it."""
        raw: bytes = self._scope.get("raw_path") or self.path.encode()
        return raw.decode("latin-1")

    @property
    def raw_query(self) -> str:
        """Return the query as the client wrote it."""
        raw: bytes = self._scope.get("query_string", b"")
        return raw.decode("latin-1")

    @property
    def all_headers(self) -> list[tuple[str, str]]:
        """Return every header line; names are in lower case."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._scope["headers"]]

    @property
    def scheme(self) -> str:
        """Return ``http`` or ``https``."""
        return str(self._scope.get("scheme") or "http")

    @property
    def client(self) -> str:
        """Return the client's address, that of this machine for a local socket."""
        return str((self._scope.get("client") or ("127.0.0.1",))[0])

    @property
    def upgrade(self) -> str:
        """Return the protocol that the client wants to change to, in lower case; "" if it wants none."""
        offered = UPGRADE in (self._scope.get("extensions") or {})
        return self.headers.get("upgrade", "").lower() if offered else ""

    async def switch(self, headers: Sequence[tuple[str, str]], status: int = 101) -> Pipe:
        """Answer that the protocol changes, and return the connection; only after ``upgrade`` named one."""
        self.started = True
        encoded = [(name.encode("latin-1"), _latin(value)) for name, value in headers]
        pipe: Pipe = await self._scope["extensions"][UPGRADE]["switch"](status, encoded)
        return pipe

    def values(self, name: str) -> list[str]:
        """Return all values of a header whose values may stand in one line or in several."""
        lines = [value for key, value in self._scope["headers"] if key == name.encode()]
        return [part.strip() for line in lines for part in line.decode("latin-1").split(",") if part.strip()]

    @property
    def caller(self) -> Caller:
        """Return who asks, with the place where warnings for them are gathered."""
        return Caller(self.user, self.warnings)

    def flag(self, name: str) -> bool:
        """Tell whether a boolean query parameter is true; its bare name counts as true."""
        value = self.query.get(name)
        return value is not None and value not in ("false", "0", "False")

    def number(self, name: str) -> int | None:
        """Return a query parameter that must be a whole number."""
        text = self.query.get(name)
        if not text:
            return None
        wrong = "" if _NUMBER.fullmatch(text) else "invalid syntax"
        if not wrong and (len(text) > _DIGITS or not -(2**63) <= int(text) < 2**63):
            wrong = "value out of range"
        if wrong:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": {wrong} ({name})')
        return int(text)

    async def body(self) -> bytes:
        """Return the request's whole body; 413 if it is too big."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > BODY_LIMIT:
                text = f"Request entity too large: limit is {BODY_LIMIT}"
                raise errors.StatusError(413, "RequestEntityTooLarge", text)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the request's body as it comes, however long it is."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                return

    async def gone(self) -> None:
        """Return when the client has disconnected."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin_raw(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head of somebody else's answer, word for word."""
        self.started = True
        encoded = [(name.encode("latin-1"), _latin(value)) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def begin(
        self,
        status: int,
        content_type: str,
        headers: Sequence[tuple[str, str]] = (),
        *,
        cache: str = "no-cache, private",
    ) -> None:
        """Send the answer's head; the body follows in chunks."""
        self.started = True
        self.status = status
        all_headers = [("content-type", content_type), ("cache-control", cache), *headers]
        told = filter(_is_printable, (" ".join(text.split()) for text in self.warnings))
        all_headers.extend(("warning", f"299 - {quoted(text)}") for text in told)
        encoded = [(name.encode("latin-1"), _latin(value)) for name, value in all_headers]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def chunk(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def answer(
        self,
        data: bytes,
        content_type: str = JSON,
        status: int = 200,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Send a whole answer, compressed when it is big and the client understands that."""
        headers = list(more)
        if len(data) >= COMPRESS_FROM and "gzip" in self.headers.get("accept-encoding", ""):
            data = await asyncio.to_thread(gzip.compress, data, 1)
            headers += [("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
        headers.append(("content-length", str(len(data))))
        await self.begin(status, content_type, headers)
        await self.end(b"" if self.method == "HEAD" else data)

    async def answer_known(
        self, digest: str, make: Callable[[], bytes], content_type: str = JSON, *, for_ever: bool = False
    ) -> None:
        """Send what ``make`` returns, compressed with gzip already, unless the client has that version.

        ``for_ever``: the address has the hash in it, so what it answers never changes.
        """
        headers = [("etag", f'"{digest}"'), ("vary", "Accept, Accept-Encoding")]
        if for_ever:
            headers.append(("expires", _later()))
        cache = "public, immutable" if for_ever else "public"
        known = [each.strip().removeprefix("W/") for each in self.headers.get("if-none-match", "").split(",")]
        if f'"{digest}"' in known:
            await self.begin(304, content_type, headers, cache=cache)
            await self.end()
            return
        data = await asyncio.to_thread(make)
        if "gzip" in self.headers.get("accept-encoding", ""):
            headers.append(("content-encoding", "gzip"))
        else:
            data = await asyncio.to_thread(gzip.decompress, data)
        headers.append(("content-length", str(len(data))))
        await self.begin(200, content_type, headers, cache=cache)
        await self.end(b"" if self.method == "HEAD" else data)

    def break_off(self) -> bool:
        """Close the connection in the middle of an answer; False where that is impossible."""
        found = (self._scope.get("extensions") or {}).get(BREAK_OFF)
        if found is not None:
            found["off"]()
        return found is not None

    async def redirect(self, address: str) -> None:
        """Say where what was asked for is now."""
        await self.begin(301, JSON, [("location", address), ("content-length", "0")])
        await self.end()

    async def answer_json(self, body: Any, status: int = 200) -> None:
        """Send an object as JSON."""
        pretty = self.query.get("pretty") in ("1", "true")
        await self.answer(orjson.dumps(body, option=orjson.OPT_INDENT_2 if pretty else 0), JSON, status)


async def until_gone(sending: Coroutine[Any, Any, None], leaving: Coroutine[Any, Any, None]) -> bool:
    """Send to the end, or until the client has left; tell whether it is still there."""
    sender, leaver = asyncio.create_task(sending), asyncio.create_task(leaving)
    try:
        await asyncio.wait((sender, leaver), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
        return sender.done()
    finally:
        sender.cancel()
        leaver.cancel()
        await asyncio.gather(sender, leaver, return_exceptions=True)


async def socket_left(receive: Receive) -> None:
    """Return when the client of a WebSocket has left; what it sends is ignored."""
    while (await receive())["type"] != "websocket.disconnect":
        pass


def _later() -> str:
    """Return a moment a year from now as HTTP writes it."""
    return email.utils.formatdate(time.time() + 365 * 24 * 3600, usegmt=True)


def _is_printable(text: str) -> bool:
    """Tell whether a header can carry a text; one that it cannot is left out, as Kubernetes does."""
    return not any(unicodedata.category(one) == "Cc" for one in text)


def quoted(text: str) -> str:
    """Return the text as a quoted-string of a header."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _latin(value: str) -> bytes:
    return value.encode("latin-1", "replace").replace(b"\r", b" ").replace(b"\n", b" ")
