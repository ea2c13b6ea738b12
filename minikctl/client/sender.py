"""Sends what is to be sent on a socket that another thread reads."""

from __future__ import annotations

import threading
from _queue import SimpleQueue  # ``queue`` loads more than is used

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

HELD = 2
"""So many pieces of input wait for a peer that does not take them."""
FAREWELL_SECONDS = 1.0
"""How long the end waits for what is still to be sent."""


class Sender(threading.Thread):
    """Sends one frame after the other: so nobody who reads waits for a server that does not."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(name="sender", daemon=True)
        self._sock = sock
        self._frames: SimpleQueue[tuple[bytes, bool] | None] = SimpleQueue()
        self._room = threading.Semaphore(HELD)
        self._is_ended = False
        self.start()

    def put(self, frame: bytes) -> None:
        """Have a small frame sent; this may be called at any moment, also by a signal's handler."""
        self._frames.put((frame, False))

    def wait(self, frame: bytes) -> None:
        """Have a frame sent, which waits for room; after the end it is dropped."""
        self._room.acquire()
        if self._is_ended:
            self._room.release()
        else:
            self._frames.put((frame, True))

    def end(self) -> None:
        """Send nothing after what there is, and wait a little until that is sent; safe to call twice."""
        self._frames.put(None)
        self.join(FAREWELL_SECONDS)

    def run(self) -> None:
        """Send until the end; what cannot be sent is dropped."""
        is_lost = False
        while (found := self._frames.get()) is not None:
            frame, is_counted = found
            try:
                if not is_lost:
                    self._sock.sendall(frame)
            except OSError:
                is_lost = True
            if is_counted:
                self._room.release()
        self._is_ended = True
        self._room.release()
