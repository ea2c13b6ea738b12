"""The work queue: keys wait in it at most once and are worked on by one worker at a time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Generic, TypeVar

from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks
from minikctl.runtime.backoff import Backoff

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """Hands out keys in the order of their first mention.

    A key that is added while it waits is not repeated; one that is added while it is worked on is handed
    out again after ``done``.  Delayed keys need ``run``; of two delays for a key the earlier wins.
    """

    def __init__(self, clock: clocks.Clock, backoff: Backoff[K] | None = None) -> None:
        self._clock = clock
        self._backoff: Backoff[K] = backoff or Backoff()
        self._ready: dict[K, None] = {}
        self._working: set[K] = set()
        self._again: dict[K, None] = {}
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._getters: list[asyncio.Future[None]] = []
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        """Return how many keys are ready to be worked on."""
        return len(self._ready)

    @property
    def busy(self) -> bool:
        """Tell whether a key is ready or being worked on."""
        return bool(self._ready or self._working)

    def add(self, key: K) -> None:
        """Have the key worked on as soon as a worker is free."""
        if key in self._working:
            self._again[key] = None
        elif key not in self._ready:
            self._ready[key] = None
            self._wake_getter()

    def add_after(self, key: K, seconds: float) -> None:
        """Have the key worked on after that time, or earlier if it is added again."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        if self._heap[0][2] == key:
            self._earlier.set()

    def add_rate_limited(self, key: K) -> float:
        """Have the key worked on after its back-off; return the seconds."""
        delay = self._backoff.next(key)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Let the key's next failure start at the shortest back-off."""
        self._backoff.forget(key)

    def failures(self, key: K) -> int:
        """Return how often the key was rate-limited since it was last forgotten."""
        return self._backoff.failures(key)

    async def get(self) -> K:
        """Return the next key, which then counts as being worked on until ``done``."""
        while not self._ready:
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                self._abandon(getter)
                raise
        key = next(iter(self._ready))
        del self._ready[key]
        self._working.add(key)
        return key

    def done(self, key: K) -> None:
        """Tell that the work on the key ended; if it was added meanwhile, it waits again."""
        self._working.discard(key)
        if key in self._again:
            del self._again[key]
            self.add(key)

    async def run(self) -> None:
        """Move delayed keys to the ready ones when their time comes, for ever."""
        while True:
            self._earlier.clear()
            wait = self._release()
            if wait is None:
                await self._earlier.wait()
            else:
                await tasks.first(self._clock.sleep(wait), self._earlier.wait())

    def _release(self) -> float | None:
        """Add the keys that are due; return the seconds to the next one."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) != due:  # an earlier time for the same key took over
                heapq.heappop(self._heap)
                continue
            wait = due - self._clock.monotonic()
            if wait > 0:
                return wait
            heapq.heappop(self._heap)
            del self._due[key]
            self.add(key)
        return None

    def _wake_getter(self) -> None:
        while self._getters:
            getter = self._getters.pop(0)
            if not getter.done():
                getter.set_result(None)
                return

    def _abandon(self, getter: asyncio.Future[None]) -> None:
        """Pass on a wake-up that came to a worker at the moment of its cancellation."""
        if getter in self._getters:
            self._getters.remove(getter)
        elif self._ready:
            self._wake_getter()
