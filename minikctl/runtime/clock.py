"""Time as a dependency: planners get ``now``, loops get a Clock, tests get one that they turn by hand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells and waits for time."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


JUMP_SECONDS = 5.0
"""So far the wall clock may drift from the other one before that counts as a jump."""
LOOK_SECONDS = 30.0


class SystemClock:
    """The machine's clock.

    The time during which the machine slept, or a virtual one was paused, counts: the kernel's monotonic clock
    stands still then, and what is due tomorrow at nine would come as much later as the night was long.
    """

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._apart = wall() - monotonic()
        self._missed = 0.0

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        return datetime.fromtimestamp(self._wall(), UTC)

    def monotonic(self) -> float:
        """Return seconds that never go backwards; when the wall clock jumps ahead they do so, too."""
        here = self._monotonic()
        jump = self._wall() - here - self._apart
        if abs(jump) > JUMP_SECONDS:
            self._apart += jump
            self._missed += max(jump, 0.0)
        return here + self._missed

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds; whoever sleeps for long looks now and then how late it is."""
        due = self.monotonic() + seconds
        while seconds > LOOK_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)
            seconds = due - self.monotonic()
        await asyncio.sleep(max(seconds, 0.0))
