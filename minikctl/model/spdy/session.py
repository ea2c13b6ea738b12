"""The state of one SPDY/3.1 connection without IO: which streams there are, and how much each may send.

Flow control is kept with peers that announce it (a SETTINGS frame with an initial window before their first
stream).  The Go library of kubectl, kubelets and API servers has none: it neither obeys windows nor ever
enlarges one, and waiting for that would end every transfer after 64 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from minikctl.model.spdy import frames
from minikctl.model.spdy.frames import ProtocolError as ProtocolError

STREAM_WINDOW = 512 * 1024
CONNECTION_WINDOW = 8 * 1024 * 1024
DEFAULT_WINDOW = 64 * 1024
DATA_LIMIT = 32 * 1024
"""The most bytes in one data frame: streams take turns."""
STREAM_LIMIT = 4096


@dataclass(frozen=True)
class Opened:
    """The peer has opened a stream; answer with ``accept`` or ``reset``."""

    stream: int
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Accepted:
    """The peer has accepted a stream."""

    stream: int


@dataclass(frozen=True)
class Received:
    """The peer has sent bytes; tell with ``consumed`` when they have been taken."""

    stream: int
    data: bytes


@dataclass(frozen=True)
class Ended:
    """The peer sends no more on the stream."""

    stream: int


@dataclass(frozen=True)
class WasReset:
    """The stream is over in both directions."""

    stream: int


@dataclass(frozen=True)
class Widened:
    """More may be sent, on this stream or (0) on all."""

    stream: int


@dataclass(frozen=True)
class WentAway:
    """The peer accepts no more streams."""


Event = Opened | Accepted | Received | Ended | WasReset | Widened | WentAway


@dataclass
class _Stream:
    window: int
    unreported: int = 0
    sends: bool = True
    receives: bool = True


@dataclass
class _Windows:
    """What may be sent, and what was taken but not yet told; it matters once the peer obeys windows."""

    enforced: bool = False
    initial: int = DEFAULT_WINDOW
    connection: int = DEFAULT_WINDOW
    unreported: int = 0


@dataclass
class Session:
    """One side of a connection; ``client`` opens the odd streams."""

    client: bool
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _windows: _Windows = field(default_factory=_Windows)
    _encoder: frames.Encoder = field(default_factory=frames.Encoder)
    _decoder: frames.Decoder = field(default_factory=frames.Decoder)
    _out: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._next = 1 if self.client else 2
        self._last_of_peer = 0
        if self.client:
            self._announce()

    def _announce(self) -> None:
        self._put(frames.Settings({frames.INITIAL_WINDOW: STREAM_WINDOW}))
        self._put(frames.WindowUpdate(0, CONNECTION_WINDOW - DEFAULT_WINDOW))

    def _put(self, frame: frames.Frame) -> None:
        self._out += self._encoder.encode(frame)

    def take(self) -> bytes:
        """Return what is to be sent to the peer, once."""
        out = bytes(self._out)
        self._out.clear()
        return out

    # --- what we do ---------------------------------------------------------------------------------------

    def open(self, headers: Mapping[str, str], *, fin: bool = False) -> int:
        """Open a stream and return its number; ``fin``: nothing will be sent on it."""
        number = self._next
        self._next += 2
        self._streams[number] = _Stream(self._windows.initial, sends=not fin)
        self._put(frames.SynStream(number, headers, fin))
        return number

    def accept(self, stream: int) -> None:
        """Accept a stream that the peer has opened."""
        self._put(frames.SynReply(stream))

    def room(self, stream: int) -> int:
        """Return how many bytes ``send`` takes now; 0 too when nothing can be sent ever again."""
        known = self._streams.get(stream)
        if known is None or not known.sends:
            return 0
        if not self._windows.enforced:
            return DATA_LIMIT
        return max(0, min(DATA_LIMIT, known.window, self._windows.connection))

    def knows(self, stream: int) -> bool:
        """Tell whether the stream is open in at least one direction."""
        return stream in self._streams

    def sends(self, stream: int) -> bool:
        """Tell whether anything may still be sent on the stream."""
        return stream in self._streams and self._streams[stream].sends

    def send(self, stream: int, data: bytes) -> None:
        """Send bytes, at most ``room``."""
        if len(data) > self.room(stream):
            raise ValueError(f"stream {stream} has no room for {len(data)} bytes")
        self._streams[stream].window -= len(data)
        self._windows.connection -= len(data)
        self._put(frames.Data(stream, data))

    def end(self, stream: int) -> None:
        """Send no more on the stream; harmless when it is over."""
        if self.sends(stream):
            self._streams[stream].sends = False
            self._put(frames.Data(stream, b"", fin=True))
            self._forget(stream)

    def reset(self, stream: int, status: int = frames.CANCEL) -> None:
        """End the stream in both directions; harmless when it is over."""
        if self._streams.pop(stream, None) is not None:
            self._put(frames.RstStream(stream, status))

    def consumed(self, stream: int, count: int) -> None:
        """Tell that so many received bytes have been taken: the peer may send as many more."""
        if not self._windows.enforced:
            return
        self._windows.unreported += count
        if self._windows.unreported >= CONNECTION_WINDOW // 2:
            self._put(frames.WindowUpdate(0, self._windows.unreported))
            self._windows.unreported = 0
        known = self._streams.get(stream)
        if known is None or not known.receives:
            return
        known.unreported += count
        if known.unreported >= STREAM_WINDOW // 2:
            self._put(frames.WindowUpdate(stream, known.unreported))
            known.unreported = 0

    def leave(self) -> None:
        """Tell the peer that no more streams are accepted."""
        self._put(frames.GoAway(self._last_of_peer))

    # --- what the peer does -------------------------------------------------------------------------------

    def receive(self, data: bytes) -> list[Event]:
        """Return what the bytes mean; ``ProtocolError`` when they mean nothing."""
        events: list[Event] = []
        for frame in self._decoder.feed(data):
            events += self._take(frame)
        return events

    def _take(self, frame: frames.Frame) -> list[Event]:
        match frame:
            case frames.SynStream(stream, headers, fin):
                return self._opened(stream, headers, fin)
            case frames.SynReply(stream, _, fin):
                return [Accepted(stream), *self._ended(stream, fin)] if stream in self._streams else []
            case frames.Headers(stream, _, fin):
                return self._ended(stream, fin)
            case frames.Data(stream, content, fin):
                return self._data(stream, content, fin)
            case frames.RstStream(stream):
                return [WasReset(stream)] if self._streams.pop(stream, None) is not None else []
            case frames.Settings(values):
                return self._settings(values)
            case frames.WindowUpdate(stream, delta):
                return self._widened(stream, delta)
            case frames.Ping(number):
                if number % 2 != self._next % 2:
                    self._put(frame)
            case frames.GoAway():
                return [WentAway()]
        return []

    def _opened(self, stream: int, headers: Mapping[str, str], fin: bool) -> list[Event]:
        if stream % 2 == self._next % 2 or stream <= self._last_of_peer:
            self._put(frames.RstStream(stream, frames.PROTOCOL_ERROR))
            return []
        self._last_of_peer = stream
        if len(self._streams) >= STREAM_LIMIT:
            self._put(frames.RstStream(stream, frames.REFUSED_STREAM))
            return []
        self._streams[stream] = _Stream(self._windows.initial)
        return [Opened(stream, headers), *self._ended(stream, fin)]

    def _data(self, stream: int, content: bytes, fin: bool) -> list[Event]:
        known = self._streams.get(stream)
        if known is None or not known.receives:
            # Sent before the peer learned that we had reset the stream.
            self.consumed(stream, len(content))
            return []
        found: list[Event] = [Received(stream, content)] if content else []
        return [*found, *self._ended(stream, fin)]

    def _ended(self, stream: int, fin: bool) -> list[Event]:
        known = self._streams.get(stream)
        if not fin or known is None or not known.receives:
            return []
        known.receives = False
        self._forget(stream)
        return [Ended(stream)]

    def _forget(self, stream: int) -> None:
        known = self._streams[stream]
        if not known.sends and not known.receives:
            del self._streams[stream]

    def _settings(self, values: Mapping[int, int]) -> list[Event]:
        initial = values.get(frames.INITIAL_WINDOW)
        if initial is None:
            return []
        if not self._windows.enforced and not self.client:
            self._announce()
        self._windows.enforced = True
        for known in self._streams.values():
            known.window += initial - self._windows.initial
        self._windows.initial = initial
        return [Widened(0)]

    def _widened(self, stream: int, delta: int) -> list[Event]:
        if stream == 0:
            self._windows.connection += delta
            return [Widened(0)]
        if stream in self._streams:
            self._streams[stream].window += delta
            return [Widened(stream)]
        return []
