"""The subresources of pods that stream: which protocol serves what, and what is refused beforehand.

The protocols are loaded when they are first asked for: the API's start does not wait for them.
"""

from __future__ import annotations

from typing import Any

import orjson

from minikctl import errors
from minikctl.apiserver import connecting, http_logs
from minikctl.apiserver.http_exchange import Exchange, Receive, Scope, Send
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import (
    NodeStreams,
    StreamRequest,
    check_forward,
    no_node,
    stream_request,
)

SUBRESOURCES = ("log", "exec", "attach", "portforward")


async def serve_http(
    registry: Registry, streams: NodeStreams | None, exchange: Exchange, target: Target
) -> None:
    """Answer with a pod's log, or turn the connection into SPDY."""
    if target.subresource == "log":
        await http_logs.serve(registry, streams, exchange, target)
        return
    from minikctl.apiserver import portforward, remote_command, remote_spdy

    pod = registry.get(target.kind, target.namespace, target.name)
    await connecting.admit(registry, exchange, target)
    # The client learns what is wrong with its request before it learns what is wrong with its protocol.
    wanted = None if target.subresource == "portforward" else _accepted(pod, exchange, target)
    if wanted is None:
        check_forward(pod)
    if exchange.upgrade != remote_spdy.UPGRADE:
        raise errors.bad_request("unable to upgrade: missing upgrade headers in request")
    if streams is None:
        raise no_node()
    if wanted is None:
        await portforward.serve_upgrade(exchange, portforward.Forwarder(streams, pod))
        return
    node = streams
    await remote_spdy.serve(exchange, wanted, lambda: remote_command.opened(node, pod, wanted))


def _accepted(pod: Any, exchange: Exchange, target: Target) -> StreamRequest:
    return stream_request(pod, target.subresource, exchange.query, exchange.queries.get("command", []))


async def serve_websocket(
    registry: Registry,
    streams: NodeStreams | None,
    connection: tuple[Scope, Receive, Send],
    exchange: Exchange,
    target: Target,
) -> None:
    """Serve a pod's stream over an accepted WebSocket; raises what is refused before that."""
    if target.subresource == "log":
        await http_logs.serve_websocket(registry, streams, connection, exchange, target)
        return
    if target.subresource not in ("exec", "attach", "portforward"):
        raise errors.bad_request("this path is not served over WebSocket")
    from minikctl.apiserver import portforward, remote_command, remote_websocket

    pod = registry.get(target.kind, target.namespace, target.name)
    await connecting.admit(registry, exchange, target)
    if streams is None:
        raise no_node()
    if target.subresource == "portforward":
        check_forward(pod)
        await portforward.serve_websocket(connection, portforward.Forwarder(streams, pod))
        return
    node, wanted = streams, _accepted(pod, exchange, target)
    await remote_websocket.serve(connection, wanted, lambda: remote_command.opened(node, pod, wanted))


async def refuse_websocket(scope: Scope, send: Send, error: errors.StatusError) -> None:
    """Answer an upgrade request with a Status instead of an upgrade."""
    body = orjson.dumps(error.status())
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:120]})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "websocket.http.response.start", "status": error.code, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
