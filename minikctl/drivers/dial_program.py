"""The program in the agent that connects to pods for a control plane which does not reach them itself.

It is started by ``python3 -c``, so it uses Python's own modules only.  Standard input and output carry
frames: number of the connection, kind, size (``HEADER``), and so many bytes.

    from the control plane                      from here
    OPEN    "ADDRESS PORT"                      OPENED, or FAILED "ERRNO"
    DATA    bytes for the server                DATA    bytes of the server
    END     no more comes                       END     no more comes
    CREDIT  so many bytes were taken            CREDIT  so many bytes were taken
    CLOSE   forget it                           CLOSE   it broke

At most ``WINDOW`` bytes of a connection are under way in each direction, so that one which nobody reads holds
up no other.  A connection is over when both have said END, or one CLOSE.  The program ends with its input.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

MODULES = ("__future__", "errno", "os", "select", "socket", "struct", "sys")
"""All that is imported here."""
HEADER = struct.Struct(">IBI")
OPEN, OPENED, FAILED, DATA, END, CLOSE, CREDIT = range(7)
WINDOW = 1 << 18
PIECE = 1 << 16


class Frames:
    """Cuts bytes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Return (number, kind, content) of the frames that are complete with this data."""
        found = []
        self._rest += data
        while len(self._rest) >= HEADER.size:
            number, kind, size = HEADER.unpack_from(self._rest)
            end = HEADER.size + size
            if len(self._rest) < end:
                break
            found.append((number, kind, self._rest[HEADER.size : end]))
            self._rest = self._rest[end:]
        return found


def frame(number: int, kind: int, content: bytes = b"") -> bytes:
    """Return a frame."""
    return HEADER.pack(number, kind, len(content)) + content


def credit(size: int) -> bytes:
    """Return the content of CREDIT."""
    return size.to_bytes(4, "big")


class Stream:
    """A connection to a server."""

    def __init__(self, number: int, door: socket.socket) -> None:
        self.number = number
        self.door = door
        self.is_connecting = True
        self.waiting = b""
        """What the server has still to take."""
        self.is_last = False
        """Nothing comes after that."""
        self.is_shut = False
        self.is_heard = False
        """The server sends nothing any more."""
        self.room = WINDOW
        self.mask = 0

    @property
    def wishes(self) -> int:
        """Return what is waited for."""
        if self.is_connecting:
            return select.EPOLLOUT
        reading = select.EPOLLIN if self.room and not self.is_heard else 0
        return reading | (select.EPOLLOUT if self.waiting else 0)


class Program:
    """Connects and carries until its input ends."""

    def __init__(self, source: int = 0, sink: int = 1) -> None:
        self._source = source
        self._sink = sink
        self._poll = select.epoll()
        self._frames = Frames()
        self._streams: dict[int, Stream] = {}
        self._by_door: dict[int, Stream] = {}

    def run(self) -> None:
        """Serve until the input ends."""
        self._poll.register(self._source, select.EPOLLIN)
        while True:
            # The input comes last: a new connection may get the number of one that ended in this round.
            for door, _ in sorted(self._poll.poll(), key=lambda event: event[0] == self._source):
                if door == self._source:
                    data = os.read(self._source, PIECE)
                    for number, kind, content in self._frames.feed(data):
                        self._take(number, kind, content)
                    if not data:
                        return
                elif (stream := self._by_door.get(door)) is not None:
                    self._go_on(stream)

    def _take(self, number: int, kind: int, content: bytes) -> None:
        if kind == OPEN:
            self._open(number, content.decode())
            return
        stream = self._streams.get(number)
        if stream is None:
            return  # it broke meanwhile
        if kind == CLOSE:
            self._drop(stream)
            return
        if kind == DATA:
            stream.waiting += content
        elif kind == END:
            stream.is_last = True
        elif kind == CREDIT:
            stream.room += int.from_bytes(content, "big")
        self._go_on(stream)

    def _open(self, number: int, where: str) -> None:
        address, _, port = where.rpartition(" ")
        try:
            door = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._tell(number, FAILED, str(error.errno).encode())
            return
        stream = self._streams[number] = self._by_door[door.fileno()] = Stream(number, door)
        code = door.connect_ex((address, int(port)))
        if code not in (0, errno.EINPROGRESS):
            self._fail(stream, code)
            return
        self._look(stream)

    def _go_on(self, stream: Stream) -> None:
        """Do what is possible now, and wait for the rest."""
        if stream.is_connecting:
            if code := stream.door.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._fail(stream, code)
                return
            stream.is_connecting = False
            self._tell(stream.number, OPENED)
        try:
            self._send(stream)
            self._receive(stream)
        except OSError:
            self._tell(stream.number, CLOSE)
            self._drop(stream)
            return
        if stream.is_heard and stream.is_shut:
            self._drop(stream)
        else:
            self._look(stream)

    def _send(self, stream: Stream) -> None:
        if stream.waiting:
            try:
                size = stream.door.send(stream.waiting)
            except BlockingIOError:
                return
            stream.waiting = stream.waiting[size:]
            self._tell(stream.number, CREDIT, credit(size))
        if stream.is_last and not stream.waiting and not stream.is_shut:
            stream.is_shut = True
            stream.door.shutdown(socket.SHUT_WR)

    def _receive(self, stream: Stream) -> None:
        if stream.is_heard or not stream.room:
            return
        try:
            data = stream.door.recv(min(PIECE, stream.room))
        except BlockingIOError:
            return
        stream.room -= len(data)
        stream.is_heard = not data
        self._tell(stream.number, DATA if data else END, data)

    def _look(self, stream: Stream) -> None:
        """Wait for what is wished; of who wishes nothing the end would be told again and again."""
        wishes = stream.wishes
        if wishes and stream.mask:
            self._poll.modify(stream.door, wishes)
        elif wishes:
            self._poll.register(stream.door, wishes)
        elif stream.mask:
            self._poll.unregister(stream.door)
        stream.mask = wishes

    def _fail(self, stream: Stream, code: int) -> None:
        self._tell(stream.number, FAILED, str(code).encode())
        self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        del self._streams[stream.number], self._by_door[stream.door.fileno()]
        stream.door.close()

    def _tell(self, number: int, kind: int, content: bytes = b"") -> None:
        data = frame(number, kind, content)
        while data:
            data = data[os.write(self._sink, data) :]
