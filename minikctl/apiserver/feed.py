"""The one reader of the store's log: fills the collections, tells waiters how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import orjson

from minikctl import errors
from minikctl.apiserver import cache
from minikctl.model import kinds
from minikctl.model.apply import managers
from minikctl.model.kinds import componentstatus
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.store import store as stores

logger = logging.getLogger(__name__)

REPLAYED = 2000
"""So many of the newest revisions are replayed at start, so that watches go on across a restart."""

AT_ONCE = cache.KEPT_CHANGES // 10
"""After so many events others have a turn: watches that were woken see what is about to be dropped."""

Observer = Callable[[cache.Change], None]


def key_of(kind: Kind, namespace: str, name: str) -> str:
    """Return the store's key of an object; ``kind`` is a stored one."""
    return f"{kind.group or 'core'}/{kind.plural}/{namespace}/{name}"


class Feed:
    """Collections of decoded objects that follow the store."""

    def __init__(self, store: stores.Store) -> None:
        self._store = store
        self._collections: dict[str, cache.Collection] = {}
        self._observers: dict[str, list[Observer]] = {}
        self._decoded: dict[bytes, Object] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._begin = 0
        self.revision = 0
        """Everything up to this revision is in the collections."""
        self.failure: BaseException | None = None

    def collection(self, kind: Kind) -> cache.Collection:
        """Return all objects of a stored kind."""
        return self._of(f"{kind.group or 'core'}/{kind.plural}")

    def _of(self, resource: str) -> cache.Collection:
        """Return a resource's collection, made when it is first seen: no change of it was before that."""
        found = self._collections.get(resource)
        if found is None:
            found = self._collections[resource] = cache.Collection(self._begin)
        return found

    def observe(self, kind: Kind, observer: Observer) -> None:
        """Call the observer with each change of a stored kind from now on, in order."""
        self._observers.setdefault(f"{kind.group or 'core'}/{kind.plural}", []).append(observer)

    async def start(self) -> None:
        """Load what is there, then follow; returns when reads are up to date."""
        newest = self._store.revision
        begin = max(self._store.compacted, newest - REPLAYED, 0)
        self.revision = self._begin = begin
        self._answer_components()
        if begin:
            for row in (await self._store.list("", revision=begin)).rows:
                collection, key = self._place(row.key)
                collection.load(cache.Entry(key, row.revision, _decoded(row.value), row.value))
        self._task = asyncio.create_task(self._follow(), name="apiserver-feed")
        await self.reached(newest)

    def _answer_components(self) -> None:
        """Fill the one collection that has nothing in the store: what it says is true while it is said."""
        collection = self.collection(kinds.COMPONENT_STATUS)
        for name in componentstatus.COMPONENTS:
            entry = cache.Entry(("", name), 0, componentstatus.healthy(name))
            del entry.object["metadata"]["resourceVersion"]
            collection.load(entry)

    async def stop(self) -> None:
        """End the task; whoever waits is told so."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def settle(self) -> None:
        """Let go of what nobody is likely to ask for any more (see ``cache.Collection.settle``)."""
        for collection in self._collections.values():
            collection.settle()

    async def reached(self, revision: int) -> None:
        """Return once everything up to the revision is visible."""
        if self.failure is not None:
            raise errors.StoreError("the store's watch has ended") from self.failure
        if self.revision >= revision:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((revision, future))
        await future

    def expect(self, value: bytes, stored: Object) -> None:
        """Spare the feed the parsing of a value that is about to be written."""
        self._decoded[value] = stored

    def forget(self, value: bytes) -> None:
        """Undo ``expect`` when the write did not happen."""
        self._decoded.pop(value, None)

    async def _follow(self) -> None:
        taken = 0
        try:
            while True:
                # Dropped for being slow, the feed reads on in the log: nothing is lost but time.
                with contextlib.suppress(stores.WatcherTooSlow):
                    async for event in self._store.watch("", self.revision):
                        self._take(event)
                        taken += 1
                        if not taken % AT_ONCE:
                            await asyncio.sleep(0)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            waiters, self._waiters = self._waiters, []
            for _, future in waiters:
                if not future.done():
                    future.set_exception(errors.StoreError("the store's watch has ended"))
            for collection in self._collections.values():
                collection.wake()

    def _take(self, event: stores.Event) -> None:
        row = event.row
        collection, key = self._place(row.key)
        stored = None
        if event.type == "put":
            stored = self._decoded.pop(row.value, None) or _decoded(row.value)
        change = collection.apply(row.revision, key, stored, row.value)
        if change is not None:
            for observer in self._observers.get(row.key.rsplit("/", 2)[0], ()):
                self._tell(observer, change)
        self.revision = row.revision
        self._release()

    def _tell(self, observer: Observer, change: cache.Change) -> None:
        try:
            observer(change)
        except Exception:  # without the feed, nothing would be read or written any more
            logger.exception("what follows %s failed at revision %d", change.last.key, change.revision)

    def _release(self) -> None:
        if not self._waiters:
            return
        for revision, future in self._waiters:
            if revision <= self.revision and not future.done():
                future.set_result(None)
        self._waiters = [waiter for waiter in self._waiters if waiter[0] > self.revision]

    def _place(self, key: str) -> tuple[cache.Collection, Key]:
        group, plural, namespace, name = key.split("/", 3)
        return self._of(f"{group}/{plural}"), (namespace, name)


def _decoded(value: bytes) -> Object:
    found: Object = orjson.loads(value)
    managers.share(found)
    return found
