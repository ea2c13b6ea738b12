"""Exec and attach over WebSocket, from the client's side: subprotocol v5.channel.k8s.io, or v4.

Channels: 0 stdin, 1 stdout, 2 stderr, 3 the outcome as a metav1.Status, 4 the terminal's size,
255 (v5) closes one.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from websockets import exceptions
from websockets.sync import client as websockets
from websockets.typing import Subprotocol

from minikctl import errors
from minikctl.client.http import HttpClient

PROTOCOLS = (Subprotocol("v5.channel.k8s.io"), Subprotocol("v4.channel.k8s.io"))
SERVER_FAILURE = 500
STDIN, STDOUT, STDERR, OUTCOME, SIZE, CLOSE = 0, 1, 2, 3, 4, 255


class ChannelStream:
    """One running remote command; writing and reading may happen in different threads."""

    def __init__(self, client: HttpClient, path: str, query: Mapping[str, Any]) -> None:
        self._open = contextlib.ExitStack()
        try:
            self._socket = self._open.enter_context(_connected(client, client.url_path(path, query)))
        except exceptions.InvalidStatus as error:
            raise _refused(error) from error
        except (OSError, exceptions.WebSocketException) as error:
            raise errors.UsageError(f"error: unable to upgrade connection: {error}") from error

    def write(self, data: bytes) -> None:
        """Send bytes to the command's input; what comes after its end is dropped."""
        with contextlib.suppress(exceptions.ConnectionClosed):
            self._socket.send(bytes([STDIN]) + data)

    def close_stdin(self) -> None:
        """Let the command see the end of its input (v4 has no way to say so: there the session ends)."""
        with contextlib.suppress(exceptions.ConnectionClosed):
            if self._socket.subprotocol == PROTOCOLS[0]:
                self._socket.send(bytes([CLOSE, STDIN]))

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the terminal in characters."""
        with contextlib.suppress(exceptions.ConnectionClosed):
            self._socket.send(bytes([SIZE]) + json.dumps({"Width": width, "Height": height}).encode())

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield (channel, bytes) until the server ends the session."""
        with contextlib.suppress(exceptions.ConnectionClosed):
            for message in self._socket:
                if (piece := _piece(message)) is not None:
                    yield piece

    def soon(self, seconds: float) -> list[tuple[int, bytes]]:
        """Return what comes within the time, as ``read`` would; that goes on after it."""
        found, end = [], time.monotonic() + seconds
        with contextlib.suppress(exceptions.ConnectionClosed, TimeoutError):
            while (left := end - time.monotonic()) > 0:
                found.append(_piece(self._socket.recv(timeout=left)))
        return [piece for piece in found if piece is not None]

    def close(self) -> None:
        """End the session."""
        self._open.close()


def _piece(message: str | bytes) -> tuple[int, bytes] | None:
    data = message if isinstance(message, bytes) else message.encode()
    return (data[0], data[1:]) if data else None


def _connected(client: HttpClient, target: str) -> Any:
    place = client.endpoint.server.partition("://")[2].partition("/")[0]
    return websockets.connect(
        f"ws://{place}{target}",  # TLS, where there is any, is below the socket
        sock=client.duplex(),
        subprotocols=PROTOCOLS,
        additional_headers=client.identity(),
        max_size=None,
        compression=None,
    )


def exit_code(outcome: bytes) -> int:
    """Return the exit code that a Status on the outcome channel tells; other failures raise."""
    status = json.loads(outcome)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise errors.StatusError.from_status(status)


def _refused(error: exceptions.InvalidStatus) -> errors.MinikctlError:
    body = error.response.body or b""
    with contextlib.suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict) and found.get("kind") == "Status":
            refused = errors.StatusError.from_status(found)
            if refused.code < SERVER_FAILURE:
                return refused
            return errors.UsageError(f"error: unable to upgrade connection: {refused.message}")
    return errors.UsageError(f"error: unable to upgrade connection: {error}")
