"""Logs over HTTP; exec and attach over WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import channels
from minikctl.apiserver.http_exchange import Exchange, Message, Receive, Scope, Send
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import (
    NodeStreams,
    StreamRequest,
    check_log,
    log_request,
    stream_request,
)
from minikctl.drivers.engine import ExecOptions, ExecSession
from minikctl.model import objects

SUBRESOURCES = ("log", "exec", "attach", "portforward")

_NO_NODE = errors.StatusError(503, "ServiceUnavailable", "no node serves logs and commands of pods here")


async def serve_http(
    registry: Registry, streams: NodeStreams | None, exchange: Exchange, target: Target
) -> None:
    """Answer with a pod's log; other streams need a WebSocket, and this says so."""
    if target.subresource == "log":
        if exchange.method not in ("GET", "HEAD"):
            raise errors.StatusError(405, "MethodNotAllowed", "logs can only be read")
        await _log(registry, streams, exchange, target)
        return
    if target.subresource == "portforward":
        raise _no_portforward()
    # The client learns what is wrong with its request before it learns what is wrong with its protocol.
    _accepted(registry, exchange, target)
    raise errors.bad_request(
        f"{target.subresource} is served over WebSocket ({channels.V5} or {channels.V4}), not over SPDY: "
        "unset KUBECTL_REMOTE_COMMAND_WEBSOCKETS, or use a newer client"
    )


def _no_portforward() -> errors.StatusError:
    text = "port-forward is not served by this cluster; use a NodePort or LoadBalancer Service, or an Ingress"
    return errors.StatusError(501, "NotImplemented", text)


# --- logs -------------------------------------------------------------------------------------------------


async def _log(registry: Registry, streams: NodeStreams | None, exchange: Exchange, target: Target) -> None:
    pod = registry.get(target.kind, target.namespace, target.name)
    wanted = log_request(pod, exchange.query, registry.clock.now())
    if not objects.spec(pod).get("nodeName"):
        await exchange.answer(b"", "text/plain")
        return
    check_log(pod, wanted.container, wanted.previous)
    if streams is None:
        raise _NO_NODE
    lines = _limited(streams.logs(pod, wanted.container, wanted.previous, wanted.options), wanted.limit)
    sender = asyncio.create_task(_send_log(exchange, lines))
    leaver = asyncio.create_task(exchange.gone())
    try:
        await asyncio.wait((sender, leaver), return_when=asyncio.FIRST_COMPLETED)
        if sender.done():
            sender.result()
    finally:
        sender.cancel()
        leaver.cancel()
        await asyncio.gather(sender, leaver, return_exceptions=True)


async def _send_log(exchange: Exchange, chunks: AsyncIterator[bytes]) -> None:
    """Send what there is as it comes; the head waits for the first bytes, so that a failure can be told."""
    try:
        async for chunk in chunks:
            if not exchange.started:
                await exchange.begin(200, "text/plain")
            await exchange.chunk(chunk)
    except errors.DriverError as error:
        if not exchange.started:
            raise _unreadable(error) from error
        await exchange.chunk(f"\n{error}\n".encode())
    if not exchange.started:
        await exchange.begin(200, "text/plain")
    await exchange.end()


def _unreadable(error: errors.DriverError) -> errors.StatusError:
    if isinstance(error, errors.NoSuchContainer):
        return errors.bad_request(f"unable to retrieve container logs: {error}")
    return errors.StatusError(500, "InternalError", f"Internal error occurred: {error}")


async def _limited(chunks: AsyncGenerator[bytes, None], limit: int | None) -> AsyncIterator[bytes]:
    left = limit
    async with contextlib.aclosing(chunks):
        async for chunk in chunks:
            if left is None:
                yield chunk
                continue
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return


# --- exec and attach --------------------------------------------------------------------------------------


def _accepted(registry: Registry, exchange: Exchange, target: Target) -> tuple[Any, StreamRequest]:
    pod = registry.get(target.kind, target.namespace, target.name)
    command = exchange.queries.get("command", [])
    return pod, stream_request(pod, target.subresource, exchange.query, command)


async def serve_websocket(
    registry: Registry,
    streams: NodeStreams | None,
    connection: tuple[Scope, Receive, Send],
    exchange: Exchange,
    target: Target,
) -> None:
    """Run an exec or attach over an accepted WebSocket; raises what is refused before that."""
    scope, receive, send = connection
    if target.subresource == "portforward":
        raise _no_portforward()
    if target.subresource not in ("exec", "attach"):
        raise errors.bad_request("this path is not served over WebSocket")
    protocol = channels.choose(scope.get("subprotocols") or [])
    if protocol is None:
        raise errors.bad_request(
            f"unable to upgrade: the WebSocket protocol must be {channels.V5} or {channels.V4}"
        )
    pod, wanted = _accepted(registry, exchange, target)
    if streams is None:
        raise _NO_NODE
    await receive()  # websocket.connect
    try:
        session = await _open(streams, pod, wanted)
    except errors.DriverError as error:
        await send({"type": "websocket.accept", "subprotocol": protocol})
        await _finish(send, channels.failed(str(error)))
        return
    await send({"type": "websocket.accept", "subprotocol": protocol})
    try:
        await _run(session, wanted, protocol, receive, send)
    finally:
        await session.close()


async def _open(streams: NodeStreams, pod: Any, wanted: StreamRequest) -> ExecSession:
    if wanted.command:
        options = ExecOptions(stdin=wanted.stdin, tty=wanted.tty)
        return await streams.exec(pod, wanted.container, wanted.command, options)
    return await streams.attach(pod, wanted.container, stdin=wanted.stdin, tty=wanted.tty)


async def _run(
    session: ExecSession, wanted: StreamRequest, protocol: str, receive: Receive, send: Send
) -> None:
    """Carry bytes both ways until the command has ended or the client has gone."""
    output = asyncio.create_task(_send_output(session, wanted, send))
    entered = asyncio.create_task(_take_input(session, protocol, receive))
    try:
        await asyncio.wait((output, entered), return_when=asyncio.FIRST_COMPLETED)
        if output.done():
            output.result()
        elif entered.exception() is not None:
            # The process no longer reads; it may still have something to say.
            await output
    finally:
        output.cancel()
        entered.cancel()
        await asyncio.gather(output, entered, return_exceptions=True)


async def _send_output(session: ExecSession, wanted: StreamRequest, send: Send) -> None:
    try:
        async for channel, data in session.output():
            asked = wanted.stderr if channel == channels.STDERR else wanted.stdout
            if asked:
                await send({"type": "websocket.send", "bytes": channels.encode(channel, data)})
        ended = channels.exited(await session.exit_code()) if wanted.command else channels.success()
    except errors.DriverError as error:
        ended = channels.failed(str(error))
    await _finish(send, ended)


async def _finish(send: Send, status: bytes) -> None:
    await send({"type": "websocket.send", "bytes": status})
    await send({"type": "websocket.close", "code": 1000})


async def _take_input(session: ExecSession, protocol: str, receive: Receive) -> None:
    """Feed the process until the client has gone."""
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        asked = channels.decode(_payload(message), protocol)
        match asked:
            case channels.Stdin(data):
                await session.write(data)
            case channels.StdinClosed():
                await session.close_stdin()
            case channels.Resize(width, height):
                with contextlib.suppress(errors.DriverError):
                    await session.resize(width, height)


def _payload(message: Message) -> bytes:
    data = message.get("bytes")
    return bytes(data) if data is not None else str(message.get("text") or "").encode()


async def refuse_websocket(scope: Scope, send: Send, error: errors.StatusError) -> None:
    """Answer an upgrade request with a Status instead of an upgrade."""
    body = orjson.dumps(error.status())
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:120]})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": error.code, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
