"""Exec and attach over WebSocket, from the client's side: subprotocol v5.channel.k8s.io, or v4.

Channels: 0 stdin, 1 stdout, 2 stderr, 3 the outcome as a metav1.Status, 4 the terminal's size,
255 (v5) closes one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

from websockets import exceptions
from websockets.asyncio import client as websockets
from websockets.typing import Subprotocol

from minikctl import errors
from minikctl.client.http import HttpClient

PROTOCOLS = (Subprotocol("v5.channel.k8s.io"), Subprotocol("v4.channel.k8s.io"))
SERVER_FAILURE = 500
STDIN, STDOUT, STDERR, OUTCOME, SIZE, CLOSE = 0, 1, 2, 3, 4, 255

T = TypeVar("T")


class ChannelStream:
    """One running remote command; writing and reading may happen in different threads.

    Neither waits for the other: a command that writes while nobody reads it takes no input either, and only
    who goes on reading gets it going again.
    """

    def __init__(self, client: HttpClient, path: str, query: Mapping[str, Any]) -> None:
        sock = client.duplex()
        try:
            self._socket = _result(_connected(client, sock, client.url_path(path, query)))
        except exceptions.InvalidStatus as error:
            raise _refused(error) from error
        except exceptions.InvalidMessage as error:
            raise errors.UsageError(_unanswered(client, error)) from error
        except (OSError, exceptions.WebSocketException) as error:
            raise errors.UsageError(f"error: unable to upgrade connection: {error}") from error

    def write(self, data: bytes) -> None:
        """Send bytes to the command's input; what comes after its end is dropped."""
        self._send(bytes([STDIN]) + data)

    def close_stdin(self) -> None:
        """Let the command see the end of its input (v4 has no way to say so: there the session ends)."""
        if self._socket.subprotocol == PROTOCOLS[0]:
            self._send(bytes([CLOSE, STDIN]))

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the terminal in characters."""
        self._send(bytes([SIZE]) + json.dumps({"Width": width, "Height": height}).encode())

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield (channel, bytes) until the server ends the session."""
        with contextlib.suppress(exceptions.ConnectionClosed):
            while True:
                if (piece := _piece(_result(self._socket.recv()))) is not None:
                    yield piece

    def soon(self, seconds: float) -> list[tuple[int, bytes]]:
        """Return what comes within the time, as ``read`` would; that goes on after it."""
        found, end = [], time.monotonic() + seconds
        with contextlib.suppress(exceptions.ConnectionClosed, TimeoutError):
            while (left := end - time.monotonic()) > 0:
                found.append(_piece(_result(asyncio.wait_for(self._socket.recv(), left))))
        return [piece for piece in found if piece is not None]

    def close(self) -> None:
        """End the session; safe to call twice."""
        _result(self._socket.close())

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(exceptions.ConnectionClosed):
            _result(self._socket.send(message))


def _piece(message: str | bytes) -> tuple[int, bytes] | None:
    data = message if isinstance(message, bytes) else message.encode()
    return (data[0], data[1:]) if data else None


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the loop that carries all sessions, in a thread of its own for as long as the process lives."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="channels", daemon=True).start()
    return loop


def _result(work: Coroutine[Any, Any, T]) -> T:
    """Wait for what is done in the loop; who is interrupted takes it back."""
    done = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return done.result()
    except BaseException:
        done.cancel()
        raise


async def _connected(client: HttpClient, sock: socket.socket, target: str) -> websockets.ClientConnection:
    place = client.endpoint.server.partition("://")[2].partition("/")[0]
    return await websockets.connect(
        f"ws://{place}{target}",  # TLS, where there is any, is below the socket
        sock=sock,
        subprotocols=PROTOCOLS,
        additional_headers=client.identity(),
        max_size=None,
        compression=None,
        open_timeout=None,  # the answer comes once the engine has started the command; kubectl waits, too
        ping_timeout=None,  # a pong stands behind output, which waits for whoever reads it
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


def _unanswered(client: HttpClient, error: exceptions.InvalidMessage) -> str:
    """Say who did not answer; a request that was sent is not sent again, for the command may have begun."""
    if not isinstance(error.__cause__, EOFError):
        return f"error: unable to upgrade connection: {client.place}: {error}: {error.__cause__}"
    return f"error: unexpected EOF: the connection to {client.place} ended before its server answered"


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
