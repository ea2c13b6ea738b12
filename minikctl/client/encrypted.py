"""A plain socket that leads through an encrypted one: so a server's TLS is put into that of a proxy."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading

LIMIT = 256 * 1024
"""So many bytes are held for a side that does not take them yet."""
_PIECE = 64 * 1024
_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


def plain(encrypted: socket.socket) -> socket.socket:
    """Return a socket that carries what the encrypted one does; its end is the other's, both ways."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_carry, args=(ours, encrypted), daemon=True).start()
    return theirs


class _Way:
    """One direction: what was read from the source waits for the sink."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.waiting = bytearray()
        self.is_over = False

    @property
    def wants(self) -> bool:
        """Tell whether more may be read."""
        return not self.is_over and len(self.waiting) < LIMIT

    def move(self) -> None:
        """Carry on until the source has no more for now, or the sink takes no more.

        What TLS has decrypted already shows nowhere else than in reading it.
        """
        self._write()
        while self.wants and self._read():
            self._write()

    def _read(self) -> bool:
        """Take a piece and tell whether there was one; an end, or a failure, is the end."""
        try:
            piece = self.source.recv(_PIECE)
        except _LATER:
            return False
        except OSError:
            piece = b""
        self.is_over = not piece
        self.waiting += piece
        return bool(piece)

    def _write(self) -> None:
        """Hand on what the sink takes."""
        try:
            while self.waiting:
                del self.waiting[: self.sink.send(self.waiting[:_PIECE])]
        except _LATER:
            pass
        except OSError:
            self.waiting.clear()
            self.is_over = True


def _carry(ours: socket.socket, encrypted: socket.socket) -> None:
    """Carry bytes both ways in one thread, for TLS cannot be read and written by two at once."""
    ways = _Way(ours, encrypted), _Way(encrypted, ours)
    with contextlib.closing(ours), contextlib.closing(encrypted):
        ours.setblocking(False)
        encrypted.setblocking(False)
        while True:
            for way in ways:
                way.move()
            if any(way.is_over and not way.waiting for way in ways):
                return
            reads = [way.source for way in ways if way.wants]
            writes = [way.sink for way in ways if way.waiting]
            select.select(reads, writes, [])
