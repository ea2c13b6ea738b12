"""What is served over WebSocket, and how browsers prove there who they are."""

from __future__ import annotations

import base64
import binascii

from minikctl import errors
from minikctl.apiserver import http_streams, http_verbs, http_watch
from minikctl.apiserver.http_exchange import Exchange, Receive, Scope, Send
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams

TOKEN = "base64url.bearer.authorization.k8s.io."
"""A protocol that begins so ends with a bearer token: browsers can set no header (apiserver's websocket
authenticator)."""


def take_token(scope: Scope, exchange: Exchange) -> None:
    """Take a bearer token out of the offered protocols, in place; a header's token goes before it.

    Raises 401 for what is no token and for several, and when no other protocol is left to be chosen.
    """
    offered = scope.get("subprotocols") or []
    tokens = [each.removeprefix(TOKEN) for each in offered if each.startswith(TOKEN)]
    if not tokens or exchange.headers.get("authorization"):
        return
    left = [each for each in offered if not each.startswith(TOKEN)]
    if len(tokens) > 1 or not left:
        raise errors.unauthorized()
    scope["subprotocols"] = left
    exchange.headers = {**exchange.headers, "authorization": f"Bearer {_decoded(tokens[0])}"}


def _decoded(token: str) -> str:
    try:
        padded = token + "=" * (-len(token) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise errors.unauthorized() from error


async def serve(
    registry: Registry,
    streams: NodeStreams | None,
    connection: tuple[Scope, Receive, Send],
    exchange: Exchange,
    target: Target,
) -> None:
    """Serve a watch or a pod's stream; raises what is refused before the WebSocket stands."""
    if http_verbs.is_watch(exchange, target):
        await http_watch.serve_websocket(registry, connection, exchange, target)
    else:
        await http_streams.serve_websocket(registry, streams, connection, exchange, target)
