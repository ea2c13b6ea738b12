"""Memory that is free again goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

CROWD = 64
"""So many connections have to end before it is worth looking for free memory."""
QUIET_SECONDS = 2.0
"""So long after that it is looked for: what belonged to the connections is gone by then."""


def trim() -> None:
    """Give back what is free; takes a few milliseconds.  Only glibc can: elsewhere nothing is done."""
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


class Trimmer:
    """Trims after crowds of connections, whose buffers the C library would keep for the next crowd."""

    def __init__(self, release: Callable[[], None] = trim, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._release = release
        self._quiet_seconds = quiet_seconds
        self._ended = 0

    def ended(self) -> None:
        """Note that a connection has ended; within the event loop."""
        self._ended += 1
        if self._ended == CROWD:
            asyncio.get_running_loop().call_later(self._quiet_seconds, self._trim)

    def _trim(self) -> None:
        self._ended = 0
        self._release()
