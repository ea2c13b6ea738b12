"""Caches that follow the API: list once, then watch; what controllers read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator

from minikctl import errors
from minikctl.client.base import Client
from minikctl.model import objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object

Subscriber = Callable[[Object | None, Object | None], None]
"""Gets (old, new): old is None for what is new, new is None for what is gone."""
End = Callable[[], None]
"""Ends a subscription: its subscriber is called no more."""

RETRY_SECONDS = 0.5
RETRY_LIMIT_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Informer:
    """All objects of one kind, kept up to date; the objects are shared, so they are never changed."""

    def __init__(self, client: Client, kind: Kind, namespace: str = "") -> None:
        self.kind = kind
        self._client = client
        self._namespace = namespace
        self._spaces: dict[str, dict[str, Object]] = {}
        self._subscribers: tuple[Subscriber, ...] = ()
        self._synced = asyncio.Event()
        self._changed = asyncio.Event()
        self._revision = 0
        self._watched = ""
        self._pause = RETRY_SECONDS

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object, None when there is none."""
        return self._spaces.get(namespace, {}).get(name)

    def items(self, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects of one namespace, or all of them; take a list before awaiting."""
        if namespace is not None:
            yield from self._spaces.get(namespace, {}).values()
            return
        for space in self._spaces.values():
            yield from space.values()

    def subscribe(self, subscriber: Subscriber) -> End:
        """Call it for each object that is there now and for each later change, until that is ended."""
        self._subscribers = (*self._subscribers, subscriber)
        for obj in list(self.items()):
            self._tell(subscriber, None, obj)
        return lambda: self._end(subscriber)

    def _end(self, subscriber: Subscriber) -> None:
        left = list(self._subscribers)
        if subscriber in left:
            left.remove(subscriber)
            self._subscribers = tuple(left)

    @property
    def subscribers(self) -> int:
        """Return how many are called."""
        return len(self._subscribers)

    async def synced(self) -> None:
        """Return once the first list is in."""
        await self._synced.wait()

    async def reached(self, revision: str) -> None:
        """Return once the cache has seen that resourceVersion of this kind."""
        wanted = int(revision or 0)
        while self._revision < wanted:
            self._changed.clear()
            await self._changed.wait()

    async def run(self) -> None:
        """Follow the API until cancelled; failures are retried, a gone revision means: list again."""
        self._pause = RETRY_SECONDS
        while True:
            try:
                await self._list()
                while True:
                    await self._watch()
            except Exception as error:  # noqa: BLE001 - a cache that stops following would be a silent lie
                await self._recover(error)

    async def _recover(self, error: Exception) -> None:
        gone = isinstance(error, errors.StatusError) and error.code == 410
        if not gone:
            expected = isinstance(error, errors.MinikctlError)
            logger.warning(
                "following %s: %s", self.kind.resource, error, exc_info=None if expected else error
            )
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, RETRY_LIMIT_SECONDS)

    async def _list(self) -> None:
        listing = await self._client.list(self.kind, self._namespace)
        self._replace(listing.items)
        self._watched = listing.resource_version
        self._advance(listing.resource_version)
        self._synced.set()

    async def _watch(self) -> None:
        """Take in changes until the server ends the watch, which it may at any time."""
        started = self._watched
        async for event in self._client.watch(self.kind, self._namespace, resource_version=started):
            if event.type == "DELETED":
                self._set(objects.key(event.object), None)
            elif event.type != "BOOKMARK":
                self._set(objects.key(event.object), event.object)
            self._watched = objects.resource_version(event.object) or self._watched
            self._advance(self._watched)
            self._pause = RETRY_SECONDS
        if self._watched == started:
            await asyncio.sleep(self._pause)

    def _advance(self, revision: str) -> None:
        if revision:
            self._revision = max(self._revision, int(revision))
            self._changed.set()

    def _replace(self, items: tuple[Object, ...]) -> None:
        wanted = {objects.key(obj): obj for obj in items}
        for obj in list(self.items()):
            if objects.key(obj) not in wanted:
                self._set(objects.key(obj), None)
        for key, obj in wanted.items():
            self._set(key, obj)

    def _set(self, key: Key, new: Object | None) -> None:
        space = self._spaces.setdefault(key[0], {})
        old = space.get(key[1])
        if new is not None:
            if old is not None and objects.resource_version(old) == objects.resource_version(new):
                return
            space[key[1]] = new
        else:
            space.pop(key[1], None)
            if not space:
                del self._spaces[key[0]]
            if old is None:
                return
        for subscriber in self._subscribers:
            self._tell(subscriber, old, new)

    def _tell(self, subscriber: Subscriber, old: Object | None, new: Object | None) -> None:
        try:
            subscriber(old, new)
        except Exception:
            logger.exception("a subscriber to %s failed", self.kind.resource)


class Informers:
    """One informer for each kind that somebody asked for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._by_kind: dict[str, Informer] = {}
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def of(self, kind: Kind) -> Informer:
        """Return the kind's informer, started if ``run`` is under way."""
        found = self._by_kind.get(kind.resource)
        if found is None:
            found = self._by_kind[kind.resource] = Informer(self._client, kind)
            self._start(found)
        return found

    def _start(self, informer: Informer) -> None:
        if self._group is not None:
            resource = informer.kind.resource
            self._tasks[resource] = self._group.create_task(informer.run(), name=f"informer {resource}")

    def retain(self, resources: Collection[str]) -> None:
        """Stop following what is not among these resources: it is no longer served."""
        for resource in [each for each in self._by_kind if each not in resources]:
            del self._by_kind[resource]
            task = self._tasks.pop(resource, None)
            if task is not None:
                task.cancel()

    def known(self, kind: Kind) -> Informer | None:
        """Return the kind's informer if somebody asked for it, else None."""
        return self._by_kind.get(kind.resource)

    def lend(self) -> Lent:
        """Return these informers for a part that ends before them: ``close`` ends what it subscribed."""
        return Lent(self._client, self)

    async def synced(self) -> None:
        """Return once every informer asked for so far has its first list."""
        for informer in list(self._by_kind.values()):
            await informer.synced()

    async def run(self) -> None:
        """Run all informers until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for informer in self._by_kind.values():
                self._start(informer)
            await asyncio.Event().wait()


class Lent(Informers):
    """Another's informers; ``close`` ends all subscriptions that were made here, and no others."""

    def __init__(self, client: Client, owner: Informers) -> None:
        super().__init__(client)
        self._owner = owner
        self._ends: list[End] = []

    def of(self, kind: Kind) -> Informer:
        """Return the owner's informer of the kind."""
        return _LentInformer(self._owner.of(kind), self._ends)

    def known(self, kind: Kind) -> Informer | None:
        """Return the owner's informer of the kind if somebody asked for it, else None."""
        found = self._owner.known(kind)
        return None if found is None else _LentInformer(found, self._ends)

    def retain(self, resources: Collection[str]) -> None:
        """Have the owner stop following what is not among these resources."""
        self._owner.retain(resources)

    async def synced(self) -> None:
        """Return once every informer asked for so far has its first list."""
        await self._owner.synced()

    def close(self) -> None:
        """End the subscriptions."""
        for end in self._ends:
            end()
        self._ends.clear()


class _LentInformer(Informer):
    """Another informer, whose subscriptions are noted."""

    def __init__(self, owner: Informer, ends: list[End]) -> None:
        self.kind = owner.kind
        self._owner = owner
        self._ends = ends

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object, None when there is none."""
        return self._owner.get(namespace, name)

    def items(self, namespace: str | None = None) -> Iterator[Object]:
        """Return the objects of one namespace, or all of them."""
        return self._owner.items(namespace)

    def subscribe(self, subscriber: Subscriber) -> End:
        """Subscribe to the owner, until the loan ends at the latest."""
        end = self._owner.subscribe(subscriber)
        self._ends.append(end)
        return end

    @property
    def subscribers(self) -> int:
        """Return how many are called, others' too."""
        return self._owner.subscribers

    async def synced(self) -> None:
        """Return once the first list is in."""
        await self._owner.synced()

    async def reached(self, revision: str) -> None:
        """Return once the cache has seen that resourceVersion of this kind."""
        await self._owner.reached(revision)

    async def run(self) -> None:
        """Wait: the owner follows the API."""
        await asyncio.Event().wait()
