"""SPDY/3.1 frames as data, and the bytes that they are on the wire.

Control frames begin with a set bit, the version 3 and a type; data frames with the number of their stream.
Headers are compressed by one zlib stream per direction that lives as long as the connection, so the headers
of every frame must be read, and in order, whether they are of use or not.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from minikctl.model.spdy.dictionary import DICTIONARY

VERSION = 3
FIN = 0x01
HEADERS_LIMIT = 256 * 1024
"""Headers are refused beyond that many bytes: a few compressed ones can stand for gigabytes."""

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
INITIAL_WINDOW = 7
"""The setting that tells how many bytes a stream may receive before its reader has taken any."""

PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL = 1, 2, 3, 5


class ProtocolError(ValueError):
    """The peer does not speak SPDY/3.1: the connection cannot go on."""


@dataclass(frozen=True)
class SynStream:
    """A new stream."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True)
class SynReply:
    """The new stream is accepted."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True)
class Headers:
    """More headers of a stream."""

    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True)
class Data:
    """Bytes of a stream; ``fin``: its sender's last."""

    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True)
class RstStream:
    """The stream ends at once, in both directions."""

    stream: int
    status: int


@dataclass(frozen=True)
class Settings:
    """What the sender expects, by the numbers of the settings."""

    values: Mapping[int, int]


@dataclass(frozen=True)
class Ping:
    """A number that comes back."""

    number: int


@dataclass(frozen=True)
class GoAway:
    """No further streams are accepted; ``last`` is the last one that was."""

    last: int
    status: int = 0


@dataclass(frozen=True)
class WindowUpdate:
    """``delta`` bytes more may be sent on the stream, or with stream 0 on the connection."""

    stream: int
    delta: int


@dataclass(frozen=True)
class Unknown:
    """A control frame that means nothing here."""

    kind: int


Frame = SynStream | SynReply | Headers | Data | RstStream | Settings | Ping | GoAway | WindowUpdate | Unknown


class Encoder:
    """Turns frames into bytes; one for each connection's sending side."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        """Return the frame's bytes; frames with headers must be sent in the order of these calls."""
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">IBBH", stream, FIN * fin, len(data) >> 16, len(data) & 0xFFFF) + data
            case SynStream(stream, headers, fin):
                body = struct.pack(">IIBB", stream, 0, 0, 0) + self._block(headers)
                return _control(SYN_STREAM, body, FIN * fin)
            case SynReply(stream, headers, fin):
                return _control(SYN_REPLY, struct.pack(">I", stream) + self._block(headers), FIN * fin)
            case Headers(stream, headers, fin):
                return _control(HEADERS, struct.pack(">I", stream) + self._block(headers), FIN * fin)
            case RstStream(stream, status):
                return _control(RST_STREAM, struct.pack(">II", stream, status))
            case Settings(values):
                entries = b"".join(struct.pack(">II", number, value) for number, value in values.items())
                return _control(SETTINGS, struct.pack(">I", len(values)) + entries)
            case Ping(number):
                return _control(PING, struct.pack(">I", number))
            case GoAway(last, status):
                return _control(GOAWAY, struct.pack(">II", last, status))
            case WindowUpdate(stream, delta):
                return _control(WINDOW_UPDATE, struct.pack(">II", stream, delta))
            case _:
                return _control(frame.kind, b"")

    def _block(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts += [struct.pack(">I", len(text)), text]
        return self._compressor.compress(b"".join(parts)) + self._compressor.flush(zlib.Z_SYNC_FLUSH)


def _control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHBBH", 0x8000 | VERSION, kind, flags, len(body) >> 16, len(body) & 0xFFFF) + body


class Decoder:
    """Turns bytes into frames; one for each connection's receiving side."""

    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zdict=DICTIONARY)
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole with this data; ``ProtocolError`` when it is not SPDY/3.1."""
        self._rest += data
        found: list[Frame] = []
        start = 0
        while len(self._rest) - start >= 8:
            word, flags, high, low = struct.unpack_from(">IBBH", self._rest, start)
            end = start + 8 + (high << 16 | low)
            if word & 0x80000000 and word >> 16 & 0x7FFF != VERSION:
                raise ProtocolError(f"SPDY version {word >> 16 & 0x7FFF} is not {VERSION}")
            if len(self._rest) < end:
                break
            body = bytes(self._rest[start + 8 : end])
            found.append(
                self._control(word & 0xFFFF, flags, body) if word >> 31 else _data(word, flags, body)
            )
            start = end
        del self._rest[:start]
        return found

    def _control(self, kind: int, flags: int, body: bytes) -> Frame:
        fin = bool(flags & FIN)
        try:
            match kind:
                case 1:
                    return SynStream(_number(body), self._headers(body[10:]), fin)
                case 2:
                    return SynReply(_number(body), self._headers(body[4:]), fin)
                case 8:
                    return Headers(_number(body), self._headers(body[4:]), fin)
                case 3:
                    return RstStream(_number(body), _number(body, 4))
                case 4:
                    return Settings(
                        {_number(body, at) & 0xFFFFFF: _number(body, at + 4) for at in _places(body)}
                    )
                case 6:
                    return Ping(struct.unpack_from(">I", body)[0])
                case 7:
                    return GoAway(_number(body), _number(body, 4))
                case 9:
                    return WindowUpdate(_number(body), _number(body, 4))
        except struct.error as error:
            raise ProtocolError(f"a SPDY frame of type {kind} is cut short") from error
        return Unknown(kind)

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._decompressor.decompress(block, HEADERS_LIMIT)
        except zlib.error as error:
            raise ProtocolError(f"SPDY headers cannot be decompressed: {error}") from error
        if self._decompressor.unconsumed_tail:
            raise ProtocolError("SPDY headers are too long")
        if not text:
            return {}
        at, parts = 4, []
        for _ in range(2 * min(_number(text), len(text))):
            length = _number(text, at)
            at += 4 + length
            if at > len(text):
                raise ProtocolError("SPDY headers are cut short")
            parts.append(text[at - length : at].decode("latin-1"))
        return dict(zip(parts[::2], parts[1::2], strict=True))


def _data(word: int, flags: int, body: bytes) -> Data:
    return Data(word, body, bool(flags & FIN))


def _number(body: bytes, at: int = 0) -> int:
    return int(struct.unpack_from(">I", body, at)[0]) & 0x7FFFFFFF


def _places(body: bytes) -> range:
    count = _number(body)
    if len(body) < 4 + 8 * count:
        raise ProtocolError("SPDY settings are cut short")
    return range(4, 4 + 8 * count, 8)
