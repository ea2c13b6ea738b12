"""The one thread that writes: callers that wait at the same time share one transaction and one sync."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from minikctl import errors
from minikctl.store import log
from minikctl.store.log import Row

BATCH = 256
"""At most so many writes in one transaction."""

ABSENT = 0
"""The revision that a create expects."""


class KeyExists(errors.MinikctlError):
    """A create found the key taken."""


class Mismatch(errors.MinikctlError):
    """A conditional write found another revision; ``current`` is what is there, None when nothing is."""

    def __init__(self, current: Row | None) -> None:
        super().__init__("the key has changed")
        self.current = current


@dataclass(frozen=True, slots=True)
class Event:
    """One write as watchers see it; ``previous`` is the row before it, None for a key's first."""

    type: Literal["put", "delete"]
    row: Row
    previous: Row | None


@dataclass(frozen=True, slots=True)
class Write:
    """A wish: the key's new value (None: its end), if its revision is the expected one (None: any)."""

    key: str
    value: bytes | None
    expected: int | None
    done: asyncio.Future[Event]


@dataclass(frozen=True, slots=True)
class Chore:
    """Other work on the log, in a transaction of its own."""

    work: Callable[[log.RevisionLog], int]
    done: asyncio.Future[int]


Outcome = Event | Exception
Answer = tuple[asyncio.Future[Any], Event | int | Exception]
Publish = Callable[[Sequence[Event]], None]


class Writer:
    """Carries out writes in the order in which they were submitted.

    ``publish`` is called in the loop's thread with what a transaction made durable, before any caller of that
    transaction has its answer.  A caller that is cancelled loses its answer, not its write.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, publish: Publish) -> None:
        self._path = path
        self._loop = loop
        self._publish = publish
        self._log = log.RevisionLog(path, writable=True)
        self._queue: queue.SimpleQueue[Write | Chore | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()

    async def write(self, key: str, value: bytes | None, expected: int | None) -> Event:
        """Return once the write is durable; raises ``KeyExists``, ``Mismatch`` or ``StoreError``."""
        done: asyncio.Future[Event] = self._loop.create_future()
        self._submit(Write(key, value, expected, done))
        return await done

    async def chore(self, work: Callable[[log.RevisionLog], int]) -> int:
        """Return what the work returns, once it is durable."""
        done: asyncio.Future[int] = self._loop.create_future()
        self._submit(Chore(work, done))
        return await done

    async def close(self) -> None:
        """Finish all writes that were asked for, then close the file."""
        self._closing = True
        self._queue.put(None)
        await self._loop.run_in_executor(None, self._thread.join)
        self._log.close()

    def _submit(self, item: Write | Chore) -> None:
        if self._closing:
            raise errors.StoreError("the store is closed")
        self._queue.put(item)

    # --- in the writer's thread --------------------------------------------------------------------------

    def _run(self) -> None:
        item: Write | Chore | None = None
        while (item := item or self._queue.get()) is not None:
            if isinstance(item, Chore):
                self._answer([], [(item.done, self._work(item))])
                item = None
                continue
            batch = [item]
            item = self._gather(batch)
            self._commit(batch)

    def _gather(self, batch: list[Write]) -> Write | Chore | None:
        """Add the writes that wait already; return what comes after them, if it is something else."""
        while len(batch) < BATCH and not self._queue.empty():
            item = self._queue.get()
            if not isinstance(item, Write):
                if item is None:
                    self._queue.put(None)
                return item
            batch.append(item)
        return None

    def _work(self, chore: Chore) -> int | Exception:
        try:
            with log.translated(self._path), self._log.transaction():
                return chore.work(self._log)
        except Exception as error:  # noqa: BLE001 - belongs to the caller; this thread must go on
            return error

    def _commit(self, batch: list[Write]) -> None:
        outcomes = self._attempt(batch)
        if len(batch) > 1 and isinstance(outcomes, Exception):
            # Perhaps one of them is to blame: then the others must not suffer for it.
            for write in batch:
                self._commit([write])
            return
        if isinstance(outcomes, Exception):
            outcomes = [outcomes]
        events = [outcome for outcome in outcomes if isinstance(outcome, Event)]
        self._answer(events, [(write.done, found) for write, found in zip(batch, outcomes, strict=True)])

    def _attempt(self, batch: Sequence[Write]) -> list[Outcome] | Exception:
        try:
            with log.translated(self._path), self._log.transaction():
                return [self._apply(write) for write in batch]
        except Exception as error:  # noqa: BLE001 - belongs to the callers; this thread must go on
            return error

    def _apply(self, write: Write) -> Outcome:
        before = self._log.latest(write.key)
        if write.expected == ABSENT:
            if before is not None:
                return KeyExists(write.key)
        elif before is None or write.expected not in (None, before.revision):
            return Mismatch(before)
        if write.value is not None:
            return Event("put", self._log.append(write.key, write.value, before, deleted=False), before)
        assert before is not None, "a create has a value"
        return Event("delete", self._log.append(write.key, before.value, before, deleted=True), before)

    def _answer(self, events: list[Event], answers: Sequence[Answer]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._deliver, events, answers)
        except RuntimeError:
            return  # the loop is closed: nobody is left to be told

    def _deliver(self, events: list[Event], answers: Sequence[Answer]) -> None:
        """Run in the loop's thread: tell watchers, then callers, so that caches have what callers know."""
        if events:
            self._publish(events)
        for done, answer in answers:
            if done.done():
                continue
            if isinstance(answer, Exception):
                done.set_exception(answer)
            else:
                done.set_result(answer)
