"""HTTP/1.1 as a client of API servers needs it, on a connected socket.

The standard library's client spends more time on its imports than a command spends on all of its requests.
"""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence

LINE_LIMIT = 65536
HEADER_LIMIT = 200
SWITCHED = 101
"""The status of an answer after which the connection speaks another protocol."""
_EMPTY = (SWITCHED, 204, 304)


class WireError(Exception):
    """The peer does not speak HTTP, or stopped in the middle of a word."""


class Closed(WireError):
    """The peer closed the connection before it answered."""


class Headers:
    """The header fields of an answer; names are in lower case."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self.fields = fields

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of that name."""
        return next((value for key, value in self.fields if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of that name."""
        return [value for key, value in self.fields if key == name]


class Reply:
    """An answer whose body is read piece by piece."""

    def __init__(self, connection: Connection, status: int, headers: Headers, *, empty: bool) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._reader = connection.reader
        self._chunked = headers.get("transfer-encoding").lower() == "chunked"
        length = headers.get("content-length")
        self._left: int | None = None
        """What is left of the body or of its present chunk; None: all until the connection ends."""
        if empty:
            self._left, self._chunked = 0, False
        elif self._chunked:
            self._left = 0
        elif length:
            self._left = _number(length, 10)
        if self._left is None or headers.get("connection").lower() == "close":
            connection.reusable = False
        self.ended = self._left == 0 and not self._chunked

    def some(self) -> bytes:
        """Return the next bytes of the body as soon as there are any; b"" at its end."""
        if self.ended:
            return b""
        if self._chunked and not self._left and not self._next_chunk():
            return b""
        wanted = LINE_LIMIT if self._left is None else min(self._left, LINE_LIMIT)
        data = self._reader.read1(wanted)
        if not data:
            self.ended = True
            self._connection.reusable = False
            if self._left is not None:
                raise WireError("unexpected EOF")
            return b""
        if self._left is not None:
            self._left -= len(data)
            if not self._left:
                self._finish_part()
        return data

    def read(self) -> bytes:
        """Return the rest of the body."""
        return b"".join(iter(self.some, b""))

    def lines(self) -> Iterator[bytes]:
        """Yield each line of the body as soon as it is whole; the last one may lack its end."""
        rest = b""
        while data := self.some():
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield line + b"\n"
        if rest:
            yield rest

    def _finish_part(self) -> None:
        if self._chunked:
            self._connection.line()
        else:
            self.ended = True

    def _next_chunk(self) -> bool:
        self._left = _number(self._connection.line().partition(b";")[0].decode("latin-1"), 16)
        if self._left:
            return True
        while self._connection.line():
            pass  # trailers
        self.ended = True
        return False


class _Raw(io.RawIOBase):
    """Reads from a socket of any kind; ``makefile`` is not among what the bare ones have."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self.is_over = False
        """Whether somebody else reads the socket now."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int | None:  # type: ignore[override]
        return None if self.is_over else self._sock.recv_into(buffer)


class Connection:
    """One connection, for one request after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._raw = _Raw(sock)
        raw: io.RawIOBase = self._raw
        self.reader = io.BufferedReader(raw, LINE_LIMIT)
        self.reusable = True

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
        more: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Send a request; ``more`` are headers whose names may repeat."""
        fields = [*headers.items(), *more]
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
        if body is not None or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body or b'')}")
        self.sock.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b""))

    def reply(self, method: str) -> Reply:
        """Return the answer to the request that was sent."""
        while True:
            status, headers = self._head()
            if status >= 200 or status == SWITCHED:
                return Reply(self, status, headers, empty=method == "HEAD" or status in _EMPTY)

    def _head(self) -> tuple[int, Headers]:
        first = self.reader.readline(LINE_LIMIT)
        if not first:
            raise Closed("the server closed the connection without an answer")
        parts = first.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise WireError(f"malformed HTTP response {first[:40]!r}")
        fields = []
        while line := self.line():
            name, _, value = line.decode("latin-1").partition(":")
            fields.append((name.strip().lower(), value.strip()))
            if len(fields) > HEADER_LIMIT:
                raise WireError("too many header fields")
        if parts[0] == b"HTTP/1.0":
            self.reusable = False
        return int(parts[1]), Headers(fields)

    def line(self) -> bytes:
        """Return the next line without its end."""
        found = self.reader.readline(LINE_LIMIT)
        if not found.endswith(b"\n"):
            raise WireError("unexpected EOF" if len(found) < LINE_LIMIT else "a line that is too long")
        return found.rstrip(b"\r\n")

    def rest(self) -> bytes:
        """Return what has come beyond the answer, without waiting; the caller reads the socket then."""
        self._raw.is_over = True
        return self.reader.peek()

    def close(self) -> None:
        """Close it; harmless when it is closed."""
        self.reader.close()
        self.sock.close()


def _number(text: str, base: int) -> int:
    try:
        return int(text.strip(), base)
    except ValueError as error:
        raise WireError(f"malformed length {text[:20]!r}") from error
