"""SPDY/3.1 streams over any two-way pipe of bytes, for both sides: an API server and its clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from minikctl import errors
from minikctl.model.spdy import session as sessions

BUFFER_LIMIT = 8 * 1024 * 1024
"""Beyond so many bytes that nobody has taken yet, nothing more is read from a peer without flow control."""


class Pipe(Protocol):
    """Bytes in both directions."""

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; b"" at the end, also after a failure."""
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more.  ``OSError`` when the other side is gone."""
        ...

    async def close(self) -> None:
        """End both directions; safe to call twice."""
        ...


class StreamReset(errors.MinikctlError):
    """The peer, or the end of the connection, has ended the stream in both directions."""


class Stream:
    """One stream of a connection."""

    def __init__(self, connection: Connection, number: int, headers: Mapping[str, str]) -> None:
        self.number = number
        self.headers = headers
        self._connection = connection
        self._chunks: list[bytes] = []
        self._changed = asyncio.Event()
        self._widened = asyncio.Event()
        self._ended = False
        self._reset = False

    async def read(self) -> bytes:
        """Return the bytes that have come, waiting for the first; b"" at the end; ``StreamReset``."""
        while not self._chunks:
            if self._reset:
                raise StreamReset("the stream was reset")
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        await self._connection.consumed(self.number, len(data))
        return data

    async def read_all(self) -> bytes:
        """Return all bytes up to the end; a reset ends them too."""
        parts: list[bytes] = []
        try:
            while data := await self.read():
                parts.append(data)
        except StreamReset:
            pass
        return b"".join(parts)

    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more.  ``StreamReset`` when nobody takes them."""
        view = memoryview(data)
        while view:
            if self._reset:
                raise StreamReset("the stream was reset")
            room = self._connection.session.room(self.number)
            if not room:
                await self._wait_for_room()
                continue
            self._connection.session.send(self.number, bytes(view[:room]))
            view = view[room:]
            await self._connection.flush()

    async def _wait_for_room(self) -> None:
        if not self._connection.session.sends(self.number):
            raise StreamReset("the stream was reset")
        self._widened.clear()
        await self._widened.wait()

    async def end(self) -> None:
        """Send no more; harmless when the stream is over."""
        self._connection.session.end(self.number)
        await self._connection.consumed(self.number, 0)

    async def reset(self) -> None:
        """End both directions at once and drop what was not read; harmless when the stream is over."""
        self._connection.session.reset(self.number)
        self.lose()
        unread = sum(map(len, self._chunks))
        self._chunks.clear()
        await self._connection.consumed(self.number, unread)

    def take(self, data: bytes) -> None:
        """Note bytes that have come."""
        self._chunks.append(data)
        self._changed.set()

    def finish(self) -> None:
        """Note that no more will come."""
        self._ended = True
        self._changed.set()

    def widen(self) -> None:
        """Note that more may be sent."""
        self._widened.set()

    def lose(self) -> None:
        """Note that the stream is over in both directions."""
        self._reset = True
        self._changed.set()
        self._widened.set()


class Connection:
    """A multiplexed connection; ``run`` must go on for anything to come in."""

    def __init__(self, pipe: Pipe, *, client: bool) -> None:
        self.session = sessions.Session(client)
        self.lost = asyncio.Event()
        """Set when no more will come, nor any stream be accepted."""
        self._pipe = pipe
        self._streams: dict[int, Stream] = {}
        self._new: asyncio.Queue[Stream | None] = asyncio.Queue()
        self._writing = asyncio.Lock()
        self._buffered = 0
        self._drained = asyncio.Event()
        self._fewer = asyncio.Event()

    async def idle(self) -> None:
        """Return once no stream is open, or the connection is lost."""
        while self._streams and not self.lost.is_set():
            self._fewer.clear()
            await self._fewer.wait()

    async def run(self) -> None:
        """Take what comes until the peer ends the connection or stops speaking SPDY."""
        try:
            while data := await self._pipe.read():
                for event in self.session.receive(data):
                    self._take(event)
                await self.flush()
                await self._have_room()
        except sessions.ProtocolError:
            pass
        finally:
            self._lose()
            for stream in self._streams.values():
                stream.lose()
            self._new.put_nowait(None)

    async def opened(self) -> AsyncIterator[Stream]:
        """Yield the streams that the peer opens; each must be accepted with ``accept``, or reset."""
        while (stream := await self._new.get()) is not None:
            yield stream

    async def accept(self, stream: Stream) -> None:
        """Accept a stream that the peer has opened."""
        self.session.accept(stream.number)
        await self.flush()

    async def open(self, headers: Mapping[str, str]) -> Stream:
        """Open a stream; ``StreamReset`` when the connection has ended."""
        if self.lost.is_set():
            raise StreamReset("the connection has ended")
        stream = Stream(self, self.session.open(headers), headers)
        self._streams[stream.number] = stream
        await self.flush()
        return stream

    async def consumed(self, stream: int, count: int) -> None:
        """Make room for as many bytes more, and forget the stream if it is over."""
        self._buffered -= count
        self._drained.set()
        self.session.consumed(stream, count)
        self._tidy(stream)
        await self.flush()

    async def flush(self) -> None:
        """Send what is to be sent; a peer that is gone shows in ``run``."""
        async with self._writing:
            data = self.session.take()
            if not data:
                return
            try:
                await self._pipe.write(data)
            except OSError:
                self._lose()
                await self._pipe.close()

    def _lose(self) -> None:
        self.lost.set()
        self._fewer.set()

    async def close(self) -> None:
        """Say good-bye and end the connection."""
        if not self.lost.is_set():
            self.session.leave()
            await self.flush()
        await self._pipe.close()

    async def _have_room(self) -> None:
        while self._buffered > BUFFER_LIMIT:
            self._drained.clear()
            await self._drained.wait()

    def _take(self, event: sessions.Event) -> None:
        match event:
            case sessions.Opened(number, headers):
                self._streams[number] = stream = Stream(self, number, headers)
                self._new.put_nowait(stream)
            case sessions.Received(number, data) if number in self._streams:
                self._buffered += len(data)
                self._streams[number].take(data)
            case sessions.Ended(number) if number in self._streams:
                self._streams[number].finish()
                self._tidy(number)
            case sessions.WasReset(number) if number in self._streams:
                self._streams[number].lose()
                self._tidy(number)
            case sessions.Widened(0):
                for each in self._streams.values():
                    each.widen()
            case sessions.Widened(number) if number in self._streams:
                self._streams[number].widen()

    def _tidy(self, number: int) -> None:
        """Forget a stream that is over: who holds it may still read what has come."""
        if not self.session.knows(number):
            self._streams.pop(number, None)
            self._fewer.set()
