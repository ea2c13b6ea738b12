"""The ``proxy`` subresources: HTTP to pods and Services, WebSocket and other upgrades included."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

import h11

from minikctl import errors
from minikctl.apiserver import proxied
from minikctl.apiserver.http_exchange import Disconnected, Exchange
from minikctl.apiserver.http_paths import Target, proxied_tail
from minikctl.apiserver.links import Rewriter
from minikctl.apiserver.registry import Registry
from minikctl.client.multiplex import Pipe
from minikctl.drivers import dialing
from minikctl.model import kinds

CONNECT_SECONDS = 30.0
PAGE_LIMIT = 16 * 1024 * 1024
"""A page that is longer goes through as it is."""
_CHUNK = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls a gzip header."""
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
Connect = Callable[[proxied.Location], Awaitable["Backend"]]
_OURS = {"authorization", "host", "content-length"}
_SAYS_WHO = ("x-remote-", "impersonate-")

_NO_NODE_PROXY = errors.StatusError(
    501,
    "NotImplemented",
    "nodes have no kubelet to proxy to here; logs, exec, attach and port-forward are subresources of pods",
)


async def serve(
    registry: Registry, exchange: Exchange, target: Target, connect: Connect | None = None
) -> None:
    """Pass a request on, and the answer back; ``connect`` None is the real way."""
    if target.kind.kind == "Node":
        raise _NO_NODE_PROXY
    location = _located(registry, target)
    prefix, tail = proxied_tail(exchange.raw_path)
    query = f"?{exchange.raw_query}" if exchange.raw_query else ""
    if not tail and exchange.method in ("GET", "HEAD"):
        await exchange.begin(301, "text/plain", [("location", f"{prefix}/{query}"), ("content-length", "0")])
        await exchange.end()
        return
    tail = tail or "/"
    hosts = (location.authority, exchange.headers.get("host", ""))
    backend = await (connect(location) if connect else Backend.connect(location, registry.settings.dialer))
    try:
        await Passage(exchange, backend, Rewriter(prefix, hosts), prefix + tail).run(tail + query)
    finally:
        await backend.close()


def _located(registry: Registry, target: Target) -> proxied.Location:
    wanted = proxied.split(target.name, target.kind.singular)
    found = registry.get(target.kind, target.namespace, wanted.name)
    if target.kind.kind == "Pod":
        return proxied.of_pod(found, wanted)
    try:
        endpoints = registry.get(kinds.ENDPOINTS, target.namespace, wanted.name)
    except errors.StatusError:
        endpoints = None
    return proxied.of_service(found, endpoints, wanted)


class Backend:
    """A connection to the server in the cluster, for one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = h11.Connection(h11.CLIENT)
        self.reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, location: proxied.Location, dialer: dialing.Dialer = dialing.DIRECT) -> Backend:
        """Connect; 503 in upstream's words when nothing answers."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                secure = _unchecked() if location.scheme == "https" else None
                return cls(*await dialer.open(location.host, location.port, ssl=secure))
        except TimeoutError as error:
            raise _unreachable(f"dial tcp {location.host}:{location.port}: i/o timeout") from error
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            if isinstance(error, ConnectionRefusedError):
                words = "connection refused"
            raise _unreachable(f"dial tcp {location.host}:{location.port}: connect: {words}") from error

    async def send(self, event: h11.Event) -> None:
        """Send a part of the request."""
        await self.write(self.http.send(event) or b"")

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def event(self) -> h11.Event:
        """Return the next part of the answer."""
        while True:
            found = self.http.next_event()
            if found is h11.PAUSED:
                return h11.EndOfMessage()
            if found is not h11.NEED_DATA:
                return found  # type: ignore[return-value]
            self.http.receive_data(await self.reader.read(_CHUNK))

    def end_of_input(self) -> None:
        """Let the server see that no more comes, where that is possible."""
        if self._writer.can_write_eof():
            with contextlib.suppress(OSError, RuntimeError):
                self._writer.write_eof()

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await self._writer.wait_closed()


def _unreachable(words: str) -> errors.StatusError:
    return errors.StatusError(503, "ServiceUnavailable", f"error trying to reach service: {words}")


def _unchecked() -> ssl.SSLContext:
    """Kubernetes does not check the certificates of what it proxies to either."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _unpacked(data: bytes, packing: str) -> bytes | None:
    """Return a page as it reads; None when it is packed in another way, wrongly, or too long unpacked."""
    if packing != "gzip":
        return None if packing else data
    unpacking = zlib.decompressobj(_GZIP)
    try:
        found = unpacking.decompress(data, PAGE_LIMIT)
    except zlib.error:
        return None
    return found if unpacking.eof and not unpacking.unused_data else None


def _rewritten(data: bytes, packing: str, rewriter: Rewriter) -> bytes | None:
    """Return a page with its links rewritten, packed as it was; None when it cannot be read."""
    plain = _unpacked(data, packing)
    if plain is None:
        return None
    page = rewriter.page(plain.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return gzip.compress(page) if packing else page


def _first(error: BaseException) -> BaseException:
    """Return what a group of failures began with."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class Passage:
    """One request on its way.

    Without a ``rewriter`` answers go back as they are; ``identity`` are headers that say who asks, to a
    server that is called ``host``.
    """

    def __init__(
        self,
        exchange: Exchange,
        backend: Backend,
        rewriter: Rewriter | None,
        uri: str,
        *,
        identity: Sequence[tuple[str, str]] = (),
        host: str = "",
    ) -> None:
        self._exchange = exchange
        self._backend = backend
        self._rewriter = rewriter
        self._uri = uri
        self._identity = identity
        self._host = host

    async def run(self, target: str) -> None:
        """Pass the request on and the answer back; ``Disconnected`` when one side left in the middle."""
        try:
            await self._backend.send(self._request(target))
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_body())
                try:
                    await self._answer()
                finally:
                    sending.cancel()
        except (BaseExceptionGroup, OSError, h11.ProtocolError) as failure:
            error = _first(failure)
            if isinstance(error, OSError | h11.ProtocolError) and not self._exchange.started:
                raise _unreachable(str(error)) from error
            if isinstance(error, OSError | h11.ProtocolError | Disconnected):
                raise Disconnected from error
            raise

    def _request(self, target: str) -> h11.Request:
        exchange = self._exchange
        upgrade = exchange.upgrade
        headers = [(name, value) for name, value in exchange.all_headers if name not in _HOP_BY_HOP | _OURS]
        host = exchange.headers.get("host", "")
        if self._identity:
            # Who asks is ours to say: what the client says of it must not get through.
            headers = [each for each in headers if not each[0].startswith(_SAYS_WHO)]
            headers += self._identity
        headers += [("host", self._host or host), ("x-forwarded-uri", self._uri), ("x-forwarded-host", host)]
        headers += [("x-forwarded-proto", exchange.scheme), ("x-forwarded-for", exchange.client)]
        if upgrade:
            headers += [("connection", "Upgrade"), ("upgrade", exchange.headers["upgrade"])]
        else:
            headers.append(("connection", "close"))
        length = exchange.headers.get("content-length")
        if length is not None:
            headers.append(("content-length", length))
        elif exchange.headers.get("transfer-encoding"):
            headers.append(("transfer-encoding", "chunked"))
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return h11.Request(method=exchange.method, target=target.encode("latin-1"), headers=encoded)

    async def _send_body(self) -> None:
        """Send the request's body, then wait for the client to leave: its answer is of no use then."""
        async for data in self._exchange.stream():
            await self._backend.send(h11.Data(data=data))
        await self._backend.send(h11.EndOfMessage())
        if not self._exchange.upgrade:
            await self._exchange.gone()
            await self._backend.close()
            raise Disconnected

    async def _answer(self) -> None:
        head = await self._backend.event()
        while isinstance(head, h11.InformationalResponse):
            if head.status_code == 101:
                await self._switch(head)
                return
            head = await self._backend.event()
        if not isinstance(head, h11.Response):
            raise h11.RemoteProtocolError("EOF")
        headers = self._headers(head.headers)
        content = next((value for name, value in headers if name == "content-type"), "")
        is_page = content.partition(";")[0].strip() == "text/html" and self._exchange.method != "HEAD"
        if is_page and self._rewriter is not None:
            await self._page(head.status_code, headers, self._rewriter)
            return
        await self._exchange.begin_raw(head.status_code, headers)
        async for data in self._body():
            await self._exchange.chunk(data)
        await self._exchange.end()

    def _headers(self, found: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        decoded = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in found]
        return [
            (name, self._rewriter.link(value) if self._rewriter and name == "location" else value)
            for name, value in decoded
            if name not in _HOP_BY_HOP
        ]

    async def _body(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._backend.event(), h11.Data):
            yield bytes(event.data)
        if isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("unexpected EOF")

    async def _page(self, status: int, headers: list[tuple[str, str]], rewriter: Rewriter) -> None:
        """Send a page with its links rewritten; one that is too long or packed in an unknown way as it is."""
        parts: list[bytes] = []
        size = 0
        packing = next((value for name, value in headers if name == "content-encoding"), "")
        body = self._body()
        async for data in body:
            parts.append(data)
            size += len(data)
            if size > PAGE_LIMIT:
                break
        whole = b"".join(parts)
        page = None
        if size <= PAGE_LIMIT:
            # Not in the loop: all other requests would wait for a long page.
            page = await asyncio.to_thread(_rewritten, whole, packing, rewriter)
        if page is not None:
            whole = page
            headers = [(name, value) for name, value in headers if name != "content-length"]
            headers.append(("content-length", str(len(whole))))
        await self._exchange.begin_raw(status, headers)
        await self._exchange.chunk(whole)
        async for data in body:
            await self._exchange.chunk(data)
        await self._exchange.end()

    async def _switch(self, head: h11.InformationalResponse) -> None:
        """Join both connections, whatever they speak from here on."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        pipe = await self._exchange.switch(headers)
        rest, _ = self._backend.http.trailing_data
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._upstream(pipe))
                if rest:
                    await pipe.write(rest)
                while data := await self._backend.reader.read(_CHUNK):
                    await pipe.write(data)
                await pipe.close()  # ends the other direction, too
        finally:
            await pipe.close()

    async def _upstream(self, pipe: Pipe) -> None:
        with contextlib.suppress(OSError):
            while data := await pipe.read():
                await self._backend.write(data)
        self._backend.end_of_input()
