"""What is served over WebSocket, and how browsers prove there who they are."""

from __future__ import annotations

import base64
import binascii

from minikctl import errors
from minikctl.apiserver import http_streams, http_verbs, http_watch
from minikctl.apiserver.http_exchange import Disconnected, Exchange, Message, Receive, Scope, Send
from minikctl.apiserver.http_paths import Target
from minikctl.apiserver.registry import Registry
from minikctl.apiserver.streams import NodeStreams

TOKEN = "base64url.bearer.authorization.k8s.io."
"""A protocol that begins so ends with a bearer token: browsers can set no header (apiserver's websocket
authenticator)."""


class Left(Disconnected, BrokenPipeError):
    """The client of a WebSocket has gone."""


class Socket:
    """A WebSocket whose client may leave at any moment: what is sent to it then raises ``Left``."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.answered = False
        """True once it is accepted or refused."""
        self._closed = self._gone = False

    async def receive(self) -> Message:
        """Return what comes next; after the end, the end again."""
        if self._gone:
            return {"type": "websocket.disconnect", "code": 1006}
        message = await self._receive()
        self._gone = message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Send a message."""
        if self._gone and not self._closed:
            raise Left
        try:
            await self._send(message)
        except OSError as error:
            raise Left from error
        except RuntimeError as error:
            if self._closed:
                raise
            # The connection fell, or broke the protocol, in the very moment: no message has a place any more.
            raise Left from error
        self.answered = True
        self._closed = self._closed or message["type"] == "websocket.close"

    async def refuse(self, scope: Scope, error: errors.StatusError) -> None:
        """Answer with a Status: instead of the upgrade, or else as the reason for which it ends."""
        if not self.answered:
            await http_streams.refuse_websocket(scope, self.send, error)
        elif not self._closed:
            # A frame of control has 125 bytes at most, of which the code takes two.
            reason = error.message.encode()[:123].decode(errors="ignore")
            await self.send({"type": "websocket.close", "code": 1011, "reason": reason})

    async def leave(self) -> None:
        """Wait for the end of a connection that nobody was answered on: its client has gone."""
        while not self.answered and (await self.receive())["type"] != "websocket.disconnect":
            pass


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
