"""A pod's log over HTTP and over WebSocket."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator

from minikctl import errors
from minikctl.apiserver.http_exchange import Exchange, Receive, Scope, Send, socket_left, until_gone
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams, check_log, log_request, no_node
from minikctl.model import objects

_WEBSOCKET = ("", "binary.k8s.io", "base64.binary.k8s.io")


async def serve(registry: Registry, node: NodeStreams | None, exchange: Exchange, of: Target) -> None:
    """Answer with a pod's log, as it grows if wanted; refuses what has no log in the kubelet's words."""
    if exchange.method not in ("GET", "HEAD"):
        error = errors.StatusError(405, "MethodNotAllowed", "logs can only be read")
        error.allowed = ("GET",)
        raise error
    lines = _log(registry, node, exchange, of)
    if lines is None:
        await exchange.answer(b"", "text/plain")
        return
    await until_gone(_send_log(exchange, lines), exchange.gone())


async def serve_websocket(
    registry: Registry,
    node: NodeStreams | None,
    connection: tuple[Scope, Receive, Send],
    exchange: Exchange,
    of: Target,
) -> None:
    """Answer with a pod's log in a WebSocket's messages; raises what is refused before that.

    The protocols are those of every stream that a Kubernetes API server has (apiserver's wsstream.Reader):
    binary messages, or text ones with base64.  The first message is empty.
    """
    scope, receive, send = connection
    offered = scope.get("subprotocols") or [""]
    protocol = next((each for each in offered if each in _WEBSOCKET), None)
    if protocol is None:
        known = ", ".join(filter(None, _WEBSOCKET))
        raise errors.bad_request(f"unable to upgrade: the WebSocket protocol must be one of {known}")
    lines = _log(registry, node, exchange, of)
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": protocol or None})
    await until_gone(_send_messages(send, lines, text=protocol.startswith("base64.")), socket_left(receive))


def _log(
    registry: Registry, node: NodeStreams | None, exchange: Exchange, of: Target
) -> AsyncIterator[bytes] | None:
    """Return the log that is asked for, None before the pod has a node."""
    pod = registry.get(of.kind, of.namespace, of.name)
    wanted = log_request(pod, exchange.query, registry.clock.now())
    if not objects.spec(pod).get("nodeName"):
        return None
    check_log(pod, wanted.container, wanted.previous)
    if node is None:
        raise no_node()
    return _limited(node.logs(pod, wanted.container, wanted.previous, wanted.options), wanted.limit)


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


async def _send_messages(send: Send, chunks: AsyncIterator[bytes] | None, *, text: bool) -> None:
    async def message(data: bytes) -> None:
        content = {"text": base64.b64encode(data).decode()} if text else {"bytes": data}
        await send({"type": "websocket.send", **content})

    await message(b"")
    if chunks is not None:
        try:
            async for chunk in chunks:
                await message(chunk)
        except errors.DriverError as error:
            await message(f"\n{error}\n".encode())
    await send({"type": "websocket.close", "code": 1000})


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
