"""The store: an append-only revision log with one writer, durable group commits and watches.

What ``create``, ``update`` and ``delete`` have returned survives ``kill -9`` and power loss
(``synchronous=FULL``): callers that wait at the same time share one transaction and one sync.
"""

from __future__ import annotations

import asyncio
import builtins
import concurrent.futures
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from minikctl import errors
from minikctl.store import log
from minikctl.store.log import Row

T = TypeVar("T")

BATCH = 256
"""At most so many writes in one transaction."""
WATCH_BUFFER = 10_000
"""A watcher that is so many events behind is dropped."""


class KeyExists(errors.MinikctlError):
    """A create found the key taken."""


class Mismatch(errors.MinikctlError):
    """A conditional write found another revision; ``current`` is what is there, None when nothing is."""

    def __init__(self, current: Row | None) -> None:
        super().__init__("the key has changed")
        self.current = current


class Compacted(errors.MinikctlError):
    """The asked-for revision is no longer kept."""


class FutureRevision(errors.MinikctlError):
    """The asked-for revision has not been made yet."""


class WatcherTooSlow(errors.MinikctlError):
    """The watcher fell so far behind that it was dropped; list again and watch from there."""


@dataclass(frozen=True, slots=True)
class Event:
    """One write as watchers see it; ``previous`` is the row before it, None for a key's first."""

    type: Literal["put", "delete"]
    row: Row
    previous: Row | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A consistent list at ``revision``; ``more`` tells that the limit cut it."""

    rows: tuple[Row, ...]
    revision: int
    more: bool


@dataclass(slots=True)
class _Write:
    key: str
    value: bytes | None
    expected: int | None
    done: concurrent.futures.Future[Event]


class _Watcher:
    """A bounded buffer of events, filled by the loop's thread only."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.events: deque[Event] = deque()
        self.wake = asyncio.Event()
        self.dropped = False

    def offer(self, event: Event) -> None:
        if not event.row.key.startswith(self.prefix) or self.dropped:
            return
        if len(self.events) >= WATCH_BUFFER:
            self.dropped = True
            self.events.clear()
        else:
            self.events.append(event)
        self.wake.set()


class Store:
    """Keys to bytes with revisions; open it with ``Store.open`` inside a running event loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        with log.translated(path):
            self._log = log.RevisionLog(path, writable=True)
            self._read = log.RevisionLog(path, writable=False)
            self._revision = self._log.current()
            self._compacted = self._log.compacted()
        self._writes: queue.SimpleQueue[_Write | Callable[[], None] | None] = queue.SimpleQueue()
        self._watchers: set[_Watcher] = set()
        self._readers = concurrent.futures.ThreadPoolExecutor(1, "store-read")
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
        self._writer.start()

    @classmethod
    async def open(cls, path: Path) -> Store:
        """Open or make the store; ``StoreError`` when the file cannot be used."""
        return cls(path, asyncio.get_running_loop())

    async def close(self) -> None:
        """Finish all writes that were asked for, then close the file."""
        self._writes.put(None)
        await self._loop.run_in_executor(None, self._writer.join)
        self._readers.shutdown()
        self._read.close()
        self._log.close()

    @property
    def revision(self) -> int:
        """The newest revision whose event watchers were given."""
        return self._revision

    @property
    def compacted(self) -> int:
        """The revision up to which history was dropped."""
        return self._compacted

    async def create(self, key: str, value: bytes) -> Row:
        """Add a key; ``KeyExists`` when it is there."""
        return (await self._submit(key, value, 0)).row

    async def update(self, key: str, value: bytes, expected: int) -> Row:
        """Replace the value if its revision is the expected one; else ``Mismatch``."""
        return (await self._submit(key, value, expected)).row

    async def delete(self, key: str, expected: int) -> Row:
        """Delete the key if its revision is the expected one; else ``Mismatch``."""
        return (await self._submit(key, None, expected)).row

    async def get(self, key: str, revision: int = 0) -> Row | None:
        """Return the key's row now or as it was at a revision; ``Compacted`` when that is not known."""
        self._check(revision)
        return await self._reading(lambda: self._read.latest(key, revision))

    async def list(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> Listing:
        """Return what lives below the prefix now or at a revision, in the order of keys."""
        self._check(revision)

        def read() -> Listing:
            with self._read.snapshot():
                at = revision or self._read.current()
                rows = self._read.list(prefix, at, limit + 1 if limit else 0, start_after)
            more = bool(limit) and len(rows) > limit
            return Listing(tuple(rows[:limit] if more else rows), at, more)

        return await self._reading(read)

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Event]:
        """Yield every write below the prefix after that revision, in order, once each.

        Raises ``Compacted`` when history from there is gone and ``WatcherTooSlow`` when dropped.
        """
        watcher = _Watcher(prefix)
        self._watchers.add(watcher)
        try:
            self._check(revision)
            last = self._revision
            if revision < last:
                for event in await self._history(prefix, revision, last):
                    yield event
            while True:
                while watcher.events:
                    event = watcher.events.popleft()
                    if event.row.revision > last:
                        yield event
                if watcher.dropped:
                    raise WatcherTooSlow("the watch fell too far behind")
                watcher.wake.clear()
                await watcher.wake.wait()
        finally:
            self._watchers.discard(watcher)

    async def compact(self, revision: int) -> int:
        """Drop history up to that revision; return how many rows went."""
        done: concurrent.futures.Future[int] = concurrent.futures.Future()

        def work() -> None:
            try:
                with log.translated(self._path), self._log.transaction():
                    done.set_result(self._log.compact(revision))
            except errors.StoreError as error:
                done.set_exception(error)

        self._writes.put(work)
        gone = await asyncio.wrap_future(done)
        self._compacted = max(self._compacted, revision)
        return gone

    def _check(self, revision: int) -> None:
        if revision and revision < self._compacted:
            raise Compacted(f"revision {revision} is gone; the oldest kept is {self._compacted}")
        if revision > self._revision:
            raise FutureRevision(f"revision {revision} is ahead of the newest, {self._revision}")

    async def _history(self, prefix: str, revision: int, until: int) -> Sequence[Event]:
        found = await self._reading(lambda: self._read.after(revision, prefix, until))
        self._check(revision)  # a compaction may have passed us while we read
        return [Event("delete" if row.deleted else "put", row, before) for row, before in found]

    async def _reading(self, work: Callable[[], T]) -> T:
        def guarded() -> T:
            with log.translated(self._path):
                return work()

        return await self._loop.run_in_executor(self._readers, guarded)

    async def _submit(self, key: str, value: bytes | None, expected: int) -> Event:
        write = _Write(key, value, expected, concurrent.futures.Future())
        self._writes.put(write)
        # Once queued the write happens, so a cancelled caller must not cancel it half way.
        return await asyncio.shield(asyncio.wrap_future(write.done))

    def _write_loop(self) -> None:
        while True:
            batch: builtins.list[_Write] = []
            item = self._writes.get()
            while isinstance(item, _Write):
                batch.append(item)
                if len(batch) >= BATCH or self._writes.empty():
                    item = _NOTHING
                    break
                item = self._writes.get()
            if batch:
                self._commit(batch)
            if item is None:
                return
            if callable(item):
                item()

    def _commit(self, batch: Sequence[_Write]) -> None:
        answers: builtins.list[tuple[_Write, Event | Exception]] = []
        try:
            with self._log.transaction():
                answers.extend((write, self._apply(write)) for write in batch)
        except sqlite3.Error as error:
            failure = _store_error(self._path, error)
            answers = [(write, failure) for write in batch]
        events = [answer for _, answer in answers if isinstance(answer, Event)]
        self._loop.call_soon_threadsafe(self._publish, events, answers)

    def _apply(self, write: _Write) -> Event | Exception:
        before = self._log.latest(write.key)
        if write.expected == 0 and before is not None:
            return KeyExists(write.key)
        if write.expected and (before is None or before.revision != write.expected):
            return Mismatch(before)
        if write.value is None:
            assert before is not None
            row = self._log.append(write.key, before.value, before, deleted=True)
            return Event("delete", row, before)
        return Event("put", self._log.append(write.key, write.value, before, deleted=False), before)

    def _publish(self, events: Sequence[Event], answers: Sequence[tuple[_Write, Event | Exception]]) -> None:
        """Give watchers the events before writers their answers: a cache can have a write when it returns."""
        for event in events:
            self._revision = event.row.revision
            for watcher in self._watchers:
                watcher.offer(event)
        for write, answer in answers:
            if isinstance(answer, Exception):
                write.done.set_exception(answer)
            else:
                write.done.set_result(answer)


def _nothing() -> None:
    """Do nothing: stands for "no further item" in the writer's loop."""


_NOTHING = _nothing


def _store_error(path: Path, error: sqlite3.Error) -> errors.StoreError:
    try:
        with log.translated(path):
            raise error
    except errors.StoreError as translated:
        return translated
