"""Port-forward: a client's connections to ports of a pod, over SPDY or over a WebSocket's channels.

SPDY comes in an upgraded HTTP connection or, since kubectl 1.31, inside a WebSocket.  For each connection the
client opens two streams with a common request id: ``data``, and ``error``, which tells what went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from minikctl import errors
from minikctl.apiserver import channels
from minikctl.apiserver.http_exchange import Exchange, Receive, Scope, Send
from minikctl.apiserver.remote_spdy import switched
from minikctl.apiserver.remote_websocket import WebSocketPipe, payload
from minikctl.apiserver.streams import NodeStreams
from minikctl.client import multiplex
from minikctl.drivers.relay import PortConnection
from minikctl.model import objects
from minikctl.model.objects import Object

PROTOCOL = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PROTOCOL}"
PAIRING_SECONDS = 30.0


@dataclass(frozen=True)
class Forwarder:
    """The pod whose ports are forwarded, and the node that reaches them."""

    streams: NodeStreams
    pod: Object

    async def carry(self, port: int, client: Duplex) -> str:
        """Carry one connection's bytes until one side ends it; return what went wrong, "" if nothing did."""
        try:
            connection = await self.streams.connect(self.pod, port)
        except errors.MinikctlError as error:
            return self._failure(port, error)
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(_send(client, connection))
                try:
                    await _receive(client, connection)
                except errors.DriverError as error:
                    return self._failure(port, error)
                finally:
                    sending.cancel()
        finally:
            await connection.close()
        return ""

    def _failure(self, port: int, error: Exception) -> str:
        about = f"pod {objects.name(self.pod)}, uid {objects.uid(self.pod)}"
        return f"error forwarding port {port} to {about}: {error}"


class Duplex(Protocol):
    """The client's end of one connection; ``multiplex.Stream`` fits."""

    async def read(self) -> bytes:
        """Return the next bytes; b"" when the client sends no more; ``StreamReset`` when it has gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes; ``StreamReset`` when the client has gone."""
        ...


async def _send(client: Duplex, connection: PortConnection) -> None:
    """Carry what the client says into the pod."""
    try:
        # A server that no longer listens may still have something to say.
        with contextlib.suppress(errors.DriverError):
            while data := await client.read():
                await connection.write(data)
        await connection.close_write()
    except multiplex.StreamReset:
        await connection.close()


async def _receive(client: Duplex, connection: PortConnection) -> None:
    """Carry what the pod says to the client."""
    with contextlib.suppress(multiplex.StreamReset):
        while data := await connection.read():
            await client.write(data)


# --- over SPDY --------------------------------------------------------------------------------------------


async def serve_upgrade(exchange: Exchange, forwarder: Forwarder) -> None:
    """Forward over an HTTP connection that turns into SPDY."""
    pipe, _ = await switched(exchange, (PROTOCOL,))
    await _serve(pipe, forwarder)


async def serve_websocket(connection: tuple[Scope, Receive, Send], forwarder: Forwarder) -> None:
    """Forward over SPDY inside a WebSocket, or over channels of one; refuses other protocols."""
    scope, receive, send = connection
    offered = scope.get("subprotocols") or []
    if TUNNEL in offered:
        await receive()  # websocket.connect
        await send({"type": "websocket.accept", "subprotocol": TUNNEL})
        await _serve(WebSocketPipe(receive, send), forwarder)
        return
    protocol = next((each for each in (channels.V4, channels.V4_BASE64) if each in offered), "")
    if offered and not protocol:
        known = ", ".join((TUNNEL, channels.V4, channels.V4_BASE64))
        raise errors.bad_request(f"unable to upgrade: the WebSocket protocol must be one of {known}")
    ports = _asked_ports(Exchange(scope, receive, send).queries.get("ports", []))
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": protocol or None})
    await _Channels(protocol, receive, send, forwarder).serve(ports)


async def _serve(pipe: multiplex.Pipe, forwarder: Forwarder) -> None:
    connection = multiplex.Connection(pipe, client=False)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(connection.run(), name="spdy")
        try:
            async with forwarder.streams.forwarding(), asyncio.TaskGroup() as carrier_group:
                await _pair(connection, forwarder, carrier_group)
                # Its streams are over when the connection is.
        finally:
            await connection.close()
            running.cancel()


@dataclass
class _Pair:
    """The streams of one connection."""

    streams: dict[str, multiplex.Stream] = field(default_factory=dict)
    expiry: asyncio.Task[None] | None = None

    def forget_expiry(self) -> None:
        if self.expiry is not None:
            self.expiry.cancel()

    def complete(self) -> bool:
        return self.streams.keys() == {"data", "error"}


async def _pair(
    connection: multiplex.Connection, forwarder: Forwarder, carrier_group: asyncio.TaskGroup
) -> None:
    """Carry a connection for every pair of streams that the client opens."""
    pairs: dict[str, _Pair] = {}
    async for stream in connection.opened():
        try:
            port, kind = _announced(stream.headers)
        except ValueError:
            await stream.reset()
            continue
        await connection.accept(stream)
        request = _request(stream, kind)
        if request not in pairs:
            pairs[request] = _Pair()
            pairs[request].expiry = carrier_group.create_task(_expire(pairs, request, pairs[request]))
        pair = pairs[request]
        if kind in pair.streams:
            await _tell(
                pair, f"error processing stream for request {request}: {kind} stream already assigned"
            )
            continue
        pair.streams[kind] = stream
        if pair.complete():
            del pairs[request]
            pair.forget_expiry()
            carrier_group.create_task(_carry(forwarder, port, pair))
    for pair in pairs.values():
        pair.forget_expiry()


def _announced(headers: Mapping[str, str]) -> tuple[int, str]:
    """Return port and kind of a new stream; ``ValueError`` when its headers make no sense."""
    port, kind = int(headers.get("port", "")), headers.get("streamtype", "")
    if not 0 < port < 65536 or kind not in ("data", "error"):
        raise ValueError(f"port {port}, stream type {kind!r}")
    return port, kind


def _request(stream: multiplex.Stream, kind: str) -> str:
    """Return the id that both streams have; the oldest clients give none, their streams follow each other."""
    given = stream.headers.get("requestid", "")
    return given or str(stream.number if kind == "error" else stream.number - 2)


async def _carry(forwarder: Forwarder, port: int, pair: _Pair) -> None:
    data = pair.streams["data"]
    problem = await forwarder.carry(port, data)
    with contextlib.suppress(multiplex.StreamReset):
        await _tell(pair, problem)
    for stream in pair.streams.values():
        await stream.end()


async def _tell(pair: _Pair, problem: str) -> None:
    if problem and "error" in pair.streams:
        await pair.streams["error"].write(problem.encode())


async def _expire(pairs: dict[str, _Pair], request: str, pair: _Pair) -> None:
    """Give up a pair whose second stream does not come."""
    await asyncio.sleep(PAIRING_SECONDS)
    if pairs.get(request) is pair:
        del pairs[request]
        with contextlib.suppress(multiplex.StreamReset):
            await _tell(pair, f"(request={request}) timed out waiting for streams")
        for stream in pair.streams.values():
            await stream.reset()


# --- over a WebSocket's channels --------------------------------------------------------------------------


def _asked_ports(texts: Sequence[str]) -> list[int]:
    found = [part for text in texts for part in text.split(",")]
    if not found:
        raise errors.bad_request('query parameter "ports" is required')
    for text in found:
        if not text:
            raise errors.bad_request('query parameter "ports" cannot be empty')
        if not text.isdigit() or int(text) > 65535:
            raise errors.bad_request(f'unable to parse "{text}" as a port: invalid syntax')
        if int(text) < 1:
            raise errors.bad_request(f'port "{text}" must be > 0')
    return [int(text) for text in found]


class _Channels:
    """One connection for each asked port: channel 2n carries it, channel 2n+1 tells what went wrong."""

    def __init__(self, protocol: str, receive: Receive, send: Send, forwarder: Forwarder) -> None:
        self._protocol = protocol
        self._receive = receive
        self._send = send
        self._forwarder = forwarder

    async def serve(self, ports: Sequence[int]) -> None:
        for channel, port in ((2 * n + half, port) for n, port in enumerate(ports) for half in (0, 1)):
            await self.send(channel, port.to_bytes(2, "little"))
        ends = {2 * n: _Channel(self, 2 * n) for n in range(len(ports))}
        async with self._forwarder.streams.forwarding(), asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(ends))
            async with asyncio.TaskGroup() as carrier_group:
                for end, port in zip(ends.values(), ports, strict=True):
                    carrier_group.create_task(self._carry(end, port))
            listening.cancel()
        await self._send({"type": "websocket.close", "code": 1000})

    async def _carry(self, end: _Channel, port: int) -> None:
        try:
            problem = await self._forwarder.carry(port, end)
        finally:
            end.finish()
        if problem:
            await self.send(end.number + 1, problem.encode())

    async def _listen(self, ends: Mapping[int, _Channel]) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            if data := payload(message):
                number, content = channels.unpack(data, self._protocol)
                if number in ends and content:
                    await ends[number].take(content)
        for end in ends.values():
            await end.take(None)

    async def send(self, channel: int, data: bytes) -> None:
        message = channels.encode(channel, data, self._protocol)
        if channels.is_text(self._protocol):
            await self._send({"type": "websocket.send", "text": message.decode()})
        else:
            await self._send({"type": "websocket.send", "bytes": message})


class _Channel:
    """Fits ``Duplex``; the protocol has no way to end one direction alone."""

    def __init__(self, channels: _Channels, number: int) -> None:
        self.number = number
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(16)
        self._finished = False
        self._channels = channels

    async def take(self, data: bytes | None) -> None:
        """Have the next bytes read, None for the end; those that nobody reads any more are dropped."""
        if not self._finished:
            await self._queue.put(data)

    def finish(self) -> None:
        """Read no more; whoever waits for room goes on."""
        self._finished = True
        while not self._queue.empty():
            self._queue.get_nowait()

    async def read(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise multiplex.StreamReset("the client has gone")
        return data

    async def write(self, data: bytes) -> None:
        await self._channels.send(self.number, data)
