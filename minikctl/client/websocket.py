"""WebSocket (RFC 6455) as a client of API servers needs it, without IO.

The library takes longer to load than all that a command says, so it serves the server's side alone.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from minikctl.client import wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL = (1000).to_bytes(2)
"""The status of a connection that is closed as it should be."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FINAL, _RESERVED, _OPCODE, _MASKED = 0x80, 0x70, 0x0F, 0x80
_SHORT, _MEDIUM = 125, 65535


class ProtocolError(Exception):
    """The peer does not speak WebSocket."""


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a whole message, or a control frame, masked as all that a client sends."""
    size = len(payload)
    if size <= _SHORT:
        head = bytes((_FINAL | opcode, _MASKED | size))
    elif size <= _MEDIUM:
        head = bytes((_FINAL | opcode, _MASKED | 126)) + size.to_bytes(2)
    else:
        head = bytes((_FINAL | opcode, _MASKED | 127)) + size.to_bytes(8)
    key = os.urandom(4)
    return b"".join((head, key, masked(payload, key)))


def masked(payload: bytes, key: bytes) -> bytes:
    """Return the payload with each byte changed by that of the key of four bytes that it stands over."""
    if len(payload) > _LARGE:
        if not _quick:
            _quick.append(_library())
        if (quick := _quick[0]) is not None:
            return quick(payload, key)
    words = (len(payload) + 3) // 4
    mask = int.from_bytes(key * words, "little")
    return (int.from_bytes(payload, "little") ^ mask).to_bytes(4 * words, "little")[: len(payload)]


def _library() -> Callable[[bytes, bytes], bytes] | None:
    """Return what the library masks with, without the library, None where it has it in Python only.

    It is C and takes no time; a copy of 30 MB spends a third of its own on numbers of Python.
    """
    from importlib.machinery import PathFinder

    package = PathFinder.find_spec("websockets")
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec("websockets.speedups", places) if places else None
    if found is None or found.loader is None or (module := found.loader.create_module(found)) is None:
        return None
    found.loader.exec_module(module)
    return getattr(module, "apply_mask", None)


_quick: list[Callable[[bytes, bytes], bytes] | None] = []
_LARGE = 1 << 14
"""From that many bytes on it is worth a millisecond to load what masks them."""


class Decoder:
    """Turns what comes from a server into messages and control frames."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._parts: list[bytes] = []
        self._is_open = False
        """Whether the last message has only begun."""

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._data += data

    def messages(self) -> Iterator[tuple[int, bytes]]:
        """Yield (opcode, payload) of all that is whole; parts of a message are joined."""
        while (found := self._next()) is not None:
            final, opcode, payload = found
            if opcode >= CLOSE:
                if not final or len(payload) > _SHORT:
                    raise ProtocolError("a control frame of more than one piece")
                yield opcode, payload
                continue
            if (opcode == CONTINUATION) != self._is_open:
                raise ProtocolError("a message in the midst of another")
            self._is_open = not final
            self._parts.append(payload)
            if final:
                whole = payload if len(self._parts) == 1 else b"".join(self._parts)
                self._parts.clear()
                yield BINARY, whole

    def _next(self) -> tuple[bool, int, bytes] | None:
        """Take the next frame, if it is whole."""
        data = self._data
        if len(data) < 2:
            return None
        if data[0] & _RESERVED or data[1] & _MASKED or data[0] & _OPCODE not in _OPCODES:
            raise ProtocolError(f"a frame that begins with {bytes(data[:2])!r}")
        begin, size = 2, data[1]
        if size > _SHORT:
            begin = 4 if size == 126 else 10
            if len(data) < begin:
                return None
            size = int.from_bytes(data[2:begin])
        if len(data) < begin + size:
            return None
        with memoryview(data) as view:
            payload = bytes(view[begin : begin + size])
        found = bool(data[0] & _FINAL), data[0] & _OPCODE, payload
        del data[: begin + size]
        return found


_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))


class Handshake:
    """How a client asks for a WebSocket, and whether it got one."""

    def __init__(self, protocols: Sequence[str]) -> None:
        from binascii import b2a_base64

        self._protocols = protocols
        self._key = b2a_base64(os.urandom(16), newline=False)

    def headers(self) -> dict[str, str]:
        """Return what a request for the connection says."""
        return {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": self._key.decode(),
            "Sec-WebSocket-Protocol": ", ".join(self._protocols),
        }

    def protocol(self, headers: wire.Headers) -> str:
        """Return the protocol that an answer of status 101 chose, "" if none; ``ProtocolError``."""
        if headers.get("upgrade").lower() != "websocket":
            raise ProtocolError("the server switched to another protocol")
        if headers.get("sec-websocket-accept") != self._accepted():
            raise ProtocolError("the server did not answer to the key")
        chosen = headers.get("sec-websocket-protocol")
        if chosen and chosen not in self._protocols:
            raise ProtocolError(f"the server chose a protocol that was not offered: {chosen}")
        return chosen

    def _accepted(self) -> str:
        from binascii import b2a_base64

        return b2a_base64(_sha1(self._key + _GUID), newline=False).decode()


def _sha1(data: bytes) -> bytes:
    try:
        # The bare module does: what ``hashlib`` adds, OpenSSL, takes longer to load than a request.
        from _sha1 import sha1  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha1
    digest: bytes = sha1(data, usedforsecurity=False).digest()
    return digest
