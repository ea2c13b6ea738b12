"""Exec and attach over WebSocket, from the client's side: subprotocol v5.channel.k8s.io, or v4.

Channels: 0 stdin, 1 stdout, 2 stderr, 3 the outcome as a metav1.Status, 4 the terminal's size,
255 (v5) closes one.
"""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.client import http, lightjson, websocket, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping
    from typing import Any

    from minikctl.client.sender import Sender

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
SERVER_FAILURE = 500
STDIN, STDOUT, STDERR, OUTCOME, SIZE, CLOSE = 0, 1, 2, 3, 4, 255
FAREWELL_SECONDS = 1.0
"""How long a server that does not end a session is waited for."""
POLL_SECONDS = 0.01
PIECE = 256 * 1024
"""At most so much is read at once."""


class ChannelStream:
    """One running remote command; writing and reading may happen in different threads.

    Neither waits for the other: a command that writes while nobody reads it takes no input either, and only
    who goes on reading gets it going again.  ``write`` is for commands that were asked for with ``stdin``.
    """

    def __init__(self, client: http.HttpClient, path: str, query: Mapping[str, Any]) -> None:
        self._decoder = websocket.Decoder()
        sock = client.duplex()
        try:
            self._protocol = self._opened(client, sock, client.url_path(path, query))
        except BaseException:
            sock.close()
            raise
        self._sock = sock
        self._is_over = False
        self._sender: Sender | None = None
        if query.get("stdin"):
            from minikctl.client import sender

            self._sender = sender.Sender(sock)

    def _opened(self, client: http.HttpClient, sock: socket.socket, target: str) -> str:
        """Ask for the connection and return the protocol to speak on it.

        The answer comes once the engine has started the command; kubectl waits, too.
        """
        handshake = websocket.Handshake(PROTOCOLS)
        connection = wire.Connection(sock)
        headers = {"Host": client.place, "User-Agent": http.AGENT, **handshake.headers()}
        try:
            connection.send("GET", target, headers, None, client.identity())
            reply = connection.reply("GET")
            if reply.status != wire.SWITCHED:
                raise _refused(reply)
            chosen = handshake.protocol(reply.headers)
        except wire.Closed as error:
            # It is not asked again: the command may have begun.
            raise errors.UsageError(
                f"error: unexpected EOF: the connection to {client.place} ended before its server answered"
            ) from error
        except (OSError, wire.WireError, websocket.ProtocolError) as error:
            raise errors.UsageError(
                f"error: unable to upgrade connection: {client.place}: {error}"
            ) from error
        self._decoder.feed(connection.rest())
        return chosen

    def write(self, data: bytes) -> None:
        """Send bytes to the command's input; what comes after its end is dropped."""
        assert self._sender is not None, "the command was asked for without input"
        self._sender.wait(websocket.frame(websocket.BINARY, bytes((STDIN,)) + data))

    def close_stdin(self) -> None:
        """Let the command see the end of its input (v4 has no way to say so: there the session ends)."""
        if self._protocol == PROTOCOLS[0]:
            self._send(websocket.BINARY, bytes((CLOSE, STDIN)))

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the terminal in characters."""
        self._send(websocket.BINARY, bytes((SIZE,)) + f'{{"Width":{width},"Height":{height}}}'.encode())

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield (channel, bytes) until the server ends the session."""
        while True:
            yield from self._whole()
            if self._is_over:
                return
            self._receive()

    def soon(self, seconds: float) -> list[tuple[int, bytes]]:
        """Return what comes within the time, as ``read`` would; that goes on after it."""
        import select

        found, end = list(self._whole()), time.monotonic() + seconds
        while not self._is_over and (left := end - time.monotonic()) > 0:
            if select.select([self._sock], [], [], left)[0]:
                self._receive()
                found += self._whole()
        return found

    def leave(self) -> None:
        """End the session while another thread reads it: what was written arrives, then ``read`` ends."""
        self._finish()
        self._shut(http.WRITING)
        end = time.monotonic() + FAREWELL_SECONDS
        while not self._is_over and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        self._shut(http.BOTH_WAYS)

    def close(self) -> None:
        """End the session when nobody reads it any more; safe to call twice."""
        self._finish()
        self._shut(http.BOTH_WAYS)
        self._sock.close()

    def _finish(self) -> None:
        """Say that the session ends, after all that was written."""
        self._send(websocket.CLOSE, websocket.NORMAL)
        if self._sender is not None:
            self._sender.end()

    def _shut(self, way: int) -> None:
        try:
            self._sock.shutdown(way)
        except OSError:
            pass  # the server was first

    def _receive(self) -> None:
        try:
            data = self._sock.recv(PIECE)
        except OSError:
            data = b""
        self._is_over = not data
        self._decoder.feed(data)

    def _whole(self) -> Iterator[tuple[int, bytes]]:
        """Yield what has come as a whole, and answer what is between the peers alone."""
        try:
            for opcode, payload in self._decoder.messages():
                if opcode == websocket.BINARY and payload:
                    yield payload[0], payload[1:]
                elif opcode == websocket.PING:
                    self._send(websocket.PONG, payload)
                elif opcode == websocket.CLOSE:
                    self._is_over = True
                    return
        except websocket.ProtocolError:
            self._is_over = True

    def _send(self, opcode: int, payload: bytes) -> None:
        frame = websocket.frame(opcode, payload)
        if self._sender is not None:
            self._sender.put(frame)
            return
        try:
            self._sock.sendall(frame)  # so little always finds room where nothing else is sent
        except OSError:
            pass  # the server is gone, as ``read`` will find


def exit_code(outcome: bytes) -> int:
    """Return the exit code that a Status on the outcome channel tells; other failures raise."""
    status = lightjson.loads(outcome)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or ():
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise errors.StatusError.from_status(status)


def _refused(reply: wire.Reply) -> errors.MinikctlError:
    """Return what it means that the server answered otherwise than with the connection."""
    try:
        found = lightjson.loads(reply.read())
    except (OSError, ValueError, wire.WireError):
        found = None
    if isinstance(found, dict) and found.get("kind") == "Status":
        refused = errors.StatusError.from_status(found)
        if refused.code < SERVER_FAILURE:
            return refused
        return errors.UsageError(f"error: unable to upgrade connection: {refused.message}")
    return errors.UsageError(
        f"error: unable to upgrade connection: the server answered with HTTP status {reply.status}"
    )
