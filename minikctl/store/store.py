"""The store: an append-only revision log with one writer, durable group commits and watches.

What ``create``, ``update`` and ``delete`` have returned survives ``kill -9`` and power loss
(``synchronous=FULL``).  Values are opaque bytes.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from minikctl import errors
from minikctl.store import log
from minikctl.store.log import Row
from minikctl.store.writer import ABSENT, Event, KeyExists, Mismatch, Writer

__all__ = [
    "Compacted",
    "Event",
    "FutureRevision",
    "KeyExists",
    "Listing",
    "Mismatch",
    "Row",
    "Store",
    "WatcherTooSlow",
]

T = TypeVar("T")

WATCH_BUFFER = 10_000
"""A watcher that is so many events behind is dropped."""


class Compacted(errors.MinikctlError):
    """The asked-for revision is no longer kept."""


class FutureRevision(errors.MinikctlError):
    """The asked-for revision has not been made yet."""


class WatcherTooSlow(errors.MinikctlError):
    """The watcher fell so far behind that it was dropped; list again and watch from there."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A consistent list at ``revision``; ``more`` tells that the limit cut it."""

    rows: tuple[Row, ...]
    revision: int
    more: bool


class _Watcher:
    """A bounded buffer of events, filled by the loop's thread only."""

    def __init__(self, prefix: str, limit: int) -> None:
        self.prefix = prefix
        self.events: deque[Event] = deque()
        self.wake = asyncio.Event()
        self.failure: errors.MinikctlError | None = None
        self._limit = limit

    def offer(self, event: Event) -> None:
        """Take the event, or fail for good: the writer never waits for a watcher."""
        if self.failure is not None or not event.row.key.startswith(self.prefix):
            return
        if len(self.events) >= self._limit:
            self.fail(WatcherTooSlow("the watch fell too far behind"))
        else:
            self.events.append(event)
            self.wake.set()

    def fail(self, failure: errors.MinikctlError) -> None:
        """End the watch with this failure."""
        self.failure = self.failure or failure
        self.events.clear()
        self.wake.set()


class Store:
    """Keys to bytes with revisions; open it with ``Store.open`` inside a running event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, watch_buffer: int) -> None:
        self._path = path
        self._loop = loop
        self._watch_buffer = watch_buffer
        self._closed = False
        self._watchers: set[_Watcher] = set()
        self._writer = Writer(path, loop, self._publish)
        self._read = log.RevisionLog(path, writable=False)
        self._revision = self._read.current()
        self._compacted = self._read.compacted()
        # One connection serves reads in turn, away from the loop and beside the writer.
        self._readers = concurrent.futures.ThreadPoolExecutor(1, "store-read")

    @classmethod
    async def open(cls, path: Path, *, watch_buffer: int = WATCH_BUFFER) -> Store:
        """Open or make the store; ``StoreError`` when the file cannot be used."""
        with log.translated(path):
            log.check(path)
            return cls(path, asyncio.get_running_loop(), watch_buffer)

    async def close(self) -> None:
        """Finish all writes that were asked for, end all watches, then close the file."""
        self._closed = True
        self._readers.shutdown()
        self._read.close()
        await self._writer.close()
        for watcher in self._watchers:
            watcher.fail(errors.StoreError("the store is closed"))

    @property
    def revision(self) -> int:
        """The newest revision whose event watchers were given."""
        return self._revision

    @property
    def compacted(self) -> int:
        """The revision up to which history was dropped."""
        return self._compacted

    # --- writing -----------------------------------------------------------------------------------------

    async def create(self, key: str, value: bytes) -> Row:
        """Add a key; ``KeyExists`` when it is there."""
        return (await self._writer.write(key, value, ABSENT)).row

    async def update(self, key: str, value: bytes, expected: int) -> Row:
        """Replace the value if its revision is the expected one; else ``Mismatch``."""
        return (await self._writer.write(key, value, expected or -1)).row

    async def delete(self, key: str, expected: int | None = None) -> Row:
        """End the key if its revision is the expected one (None: any), return that row; else ``Mismatch``."""
        return (await self._writer.write(key, None, None if expected is None else expected or -1)).row

    async def compact(self, revision: int) -> int:
        """Drop history up to that revision; return how many rows went.  What is alive now stays."""
        target = min(revision, self._revision)
        if target <= self._compacted:
            return 0
        # From here on nobody may start from before it, so no reader can meet half of the history.
        self._compacted = target
        return await self._writer.chore(lambda opened: opened.compact(target))

    # --- reading -----------------------------------------------------------------------------------------

    async def get(self, key: str, revision: int = 0) -> Row | None:
        """Return the key's row now or as it was at a revision; ``Compacted`` when that is not known."""
        row, _ = await self._reading_at(revision, lambda at: self._read.latest(key, at) if at else None)
        return row

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Listing:
        """Return what lives below the prefix now or at a revision, in the order of keys."""
        most = limit + 1 if limit else 0
        rows, at = await self._reading_at(revision, lambda at: self._read.list(prefix, at, most, start_after))
        more = bool(limit) and len(rows) > limit
        return Listing(tuple(rows[:limit] if more else rows), at, more)

    async def history(self, key: str) -> Sequence[tuple[Row, float]]:
        """Return what is kept of the key's writes, each with its time (Unix seconds; 0.0: not known)."""
        return await self._reading(lambda: self._read.history(key))

    async def revision_at(self, moment: float) -> int:
        """Return the newest revision at that time, 0 if all came later.

        ``Compacted`` when history does not go back so far.
        """
        # What is written at this moment may be in the file before watchers have it.
        found = min(await self._reading(lambda: self._read.revision_at(moment)), self._revision)
        self._check(found)
        return found

    async def moment_of(self, revision: int) -> float:
        """Return when the revision was written, to a second."""
        return await self._reading(lambda: self._read.moment_of(revision))

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Event]:
        """Yield every write below the prefix after that revision, in order, once each.

        Raises ``Compacted`` when history from there is gone and ``WatcherTooSlow`` when dropped.
        """
        self._check(revision)
        self._check_open()
        watcher = _Watcher(prefix, self._watch_buffer)
        self._watchers.add(watcher)
        # Memory has all that comes after this revision; what came before it is in the file.
        seam = self._revision
        try:
            for event in await self._history(prefix, revision, seam):
                yield event
            while True:
                while watcher.events:
                    yield watcher.events.popleft()
                if watcher.failure is not None:
                    raise watcher.failure
                watcher.wake.clear()
                await watcher.wake.wait()
        finally:
            self._watchers.discard(watcher)

    def _at(self, revision: int) -> int:
        """Return the revision to read at: never one that watchers do not have yet."""
        if not revision:
            return self._revision
        self._check(revision)
        return revision

    def _check(self, revision: int) -> None:
        if revision < self._compacted:
            raise Compacted(f"revision {revision} is gone; the oldest kept is {self._compacted}")
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is ahead of the newest, {self._revision}")

    def _check_open(self) -> None:
        if self._closed:
            raise errors.StoreError("the store is closed")

    async def _history(self, prefix: str, revision: int, until: int) -> Sequence[Event]:
        if revision == until:
            return ()
        found = await self._reading(lambda: self._read.after(revision, prefix, until))
        self._check(revision)  # a compaction may have passed us while we read
        return [Event("delete" if row.deleted else "put", row, before) for row, before in found]

    async def _reading_at(self, revision: int, work: Callable[[int], T]) -> tuple[T, int]:
        """Return what the work reads, and at which revision: the asked-for one, or (0) the newest."""
        while True:
            at = self._at(revision)
            found = await self._reading(functools.partial(work, at))
            if at >= self._compacted:
                return found, at
            # A compaction overtook the reading: what is asked for is gone, or the newest is another by now.

    async def _reading(self, work: Callable[[], T]) -> T:
        def guarded() -> T:
            with log.translated(self._path):
                return work()

        self._check_open()
        return await self._loop.run_in_executor(self._readers, guarded)

    def _publish(self, events: Sequence[Event]) -> None:
        self._revision = events[-1].row.revision
        for watcher in self._watchers:
            for event in events:
                watcher.offer(event)
