"""A clock that stands still until a test turns it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, tzinfo=UTC)


async def settle(turns: int = 50) -> None:
    """Let every task run until it waits for something that only time or the test can bring."""
    for _ in range(turns):
        await asyncio.sleep(0)


class FakeClock:
    """Sleepers wake in the order of their times, each with everything that follows from it done."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._start = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Return the moment to which the clock was turned."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds by which the clock was turned."""
        return (self._now - self._start).total_seconds()

    @property
    def sleepers(self) -> int:
        """Return how many wait for the clock to be turned."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Return when the clock was turned that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Rounded up to the clock's resolution: who slept until a moment must not wake before it.
        due = self._now + timedelta(microseconds=math.ceil(seconds * 1_000_000))
        heapq.heappush(self._sleepers, (due, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Turn the clock forward, stopping at each sleeper's time on the way."""
        end = self._now + timedelta(seconds=seconds)
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._now = end
        await settle()
