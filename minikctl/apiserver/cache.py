"""Decoded objects, kept in step with the store: reads never parse JSON, watches never ask the disk.

One feed follows the store's log in order.  A write returns to its caller only after the feed has passed it,
so whoever wrote something reads it back, and from a list's revision a watch can start without a gap.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from minikctl import errors
from minikctl.model.objects import Key, Object

KEPT_CHANGES = 1000
"""Per kind, at most; a watch from an older revision gets 410 and lists again."""
KEPT_IN_PEACE = 100
"""So many are kept however old they are."""


class Entry:
    """One object as stored: decoded once, encoded at most once.

    ``value`` is its JSON in the store, which lacks nothing but the resourceVersion.
    """

    __slots__ = ("_json", "_value", "key", "object", "revision")

    def __init__(self, key: Key, revision: int, stored: Object, value: bytes | None = None) -> None:
        self.key = key
        self.revision = revision
        self.object = stamped(stored, revision)
        self._json: bytes | None = None
        self._value = value

    @property
    def json(self) -> bytes:
        """Return the object's JSON, made on first use."""
        if self._json is None:
            self._json = self._spliced() or orjson.dumps(self.object)
            self._value = None
        return self._json

    def _spliced(self) -> bytes | None:
        """Return the stored JSON with the resourceVersion put in, if it begins as ``headed`` makes it."""
        head = _head(self.object.get("kind"), self.object.get("apiVersion"))
        if self._value is None or not self._value.startswith(head):
            return None
        rest = self._value[len(head) :]
        return b'%b"resourceVersion":"%d"%b%b' % (
            head,
            self.revision,
            b"" if rest[:1] == b"}" else b",",
            rest,
        )


@functools.lru_cache(maxsize=512)
def _head(kind: str, version: str) -> bytes:
    return orjson.dumps({"kind": kind, "apiVersion": version, "metadata": {}})[:-2]


def headed(obj: Object) -> Object:
    """Return the object with its kind, version and metadata first, as Kubernetes writes it."""
    first = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": obj["metadata"]}
    return first | obj


def stamped(stored: Object, revision: int) -> Object:
    """Return the object with its revision as resourceVersion; the given one is not changed."""
    return {**stored, "metadata": {**stored["metadata"], "resourceVersion": str(revision)}}


@dataclass(frozen=True, slots=True)
class Change:
    """A step of one object: created (``old`` None), changed, or removed (``new`` None).

    ``last`` is the newest state that there was; of a removed object with the revision of its removal.
    """

    revision: int
    old: Entry | None
    new: Entry | None
    last: Entry


class Collection:
    """All objects of one kind as they are now, and its recent changes in order."""

    def __init__(self, revision: int, keep: int = KEPT_CHANGES) -> None:
        self.oldest = revision
        """Changes after this revision are all known."""
        self.era = 0
        """Raised when watches have to begin anew."""
        self._keep = keep
        self._spaces: dict[str, dict[str, Entry]] = {}
        self._orders: dict[str, list[str]] = {}
        self._changes: list[Change] = []
        self._dropped = 0
        self._settled = 0
        self._waiting: dict[Key, set[asyncio.Future[None]]] = {}

    def get(self, key: Key) -> Entry | None:
        """Return the object of that (namespace, name)."""
        space = self._spaces.get(key[0])
        return space.get(key[1]) if space else None

    def entries(self, namespace: str = "") -> list[Entry]:
        """Return the entries of one namespace, or with "" all, in the order of their keys."""
        if namespace:
            return list(self._ordered(namespace))
        return [entry for space in sorted(self._spaces) for entry in self._ordered(space)]

    def count(self, namespace: str = "") -> int:
        """Return the number of objects without walking them."""
        if namespace:
            return len(self._spaces.get(namespace, ()))
        return sum(map(len, self._spaces.values()))

    def _ordered(self, namespace: str) -> Iterator[Entry]:
        space = self._spaces.get(namespace)
        if not space:
            return
        order = self._orders.get(namespace)
        if order is None:
            order = self._orders[namespace] = sorted(space)
        for name in order:
            yield space[name]

    def load(self, entry: Entry) -> None:
        """Take in an object that was there before the feed began."""
        self._spaces.setdefault(entry.key[0], {})[entry.key[1]] = entry
        self._orders.pop(entry.key[0], None)

    def apply(
        self, revision: int, key: Key, stored: Object | None, value: bytes | None = None
    ) -> Change | None:
        """Step to the next state of one object and remember the change; None: nothing was there to remove.

        ``value`` is the object's JSON.
        """
        old = self.get(key)
        if stored is None:
            if old is None:
                return None
            self._remove(key)
            change = Change(revision, old, None, Entry(key, revision, old.object))
        else:
            entry = Entry(key, revision, stored, value)
            if old is None:
                self.load(entry)
            else:
                self._spaces[key[0]][key[1]] = entry
            change = Change(revision, old, entry, entry)
        self._remember(change)
        return change

    def _remove(self, key: Key) -> None:
        space = self._spaces[key[0]]
        del space[key[1]]
        self._orders.pop(key[0], None)
        if not space:
            del self._spaces[key[0]]

    def _remember(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) == self._keep + self._keep // 4:
            # Those who wait for other objects have to move on before what they have not seen is dropped.
            self.wake()
        if len(self._changes) >= self._keep + self._keep // 2:
            self._drop(len(self._changes) - self._keep)
        namespace, name = change.last.key
        for interest in {("", ""), (namespace, ""), (namespace, name)}:
            self._release(self._waiting.pop(interest, ()))

    def _drop(self, surplus: int) -> None:
        self.oldest = self._changes[surplus - 1].revision
        self._dropped += surplus
        del self._changes[:surplus]

    def settle(self) -> None:
        """Let go of the changes that were there at the last call, but for ``KEPT_IN_PEACE``.

        Called now and then, so that what a busy time left behind is not kept for ever.
        """
        surplus = min(self._settled - self._dropped, len(self._changes) - KEPT_IN_PEACE)
        if surplus > 0:
            self._drop(surplus)
        count = self._dropped + len(self._changes)
        if self._settled != count:
            self._settled = count
            self.wake()  # those who wait for other objects have to move on before the next call

    def recast(self, change: Callable[[Object], Object]) -> None:
        """Let each object be read as ``change`` returns it, under its present revision; nobody is told."""
        for space in self._spaces.values():
            for name, entry in space.items():
                new = change(entry.object)
                if new is not entry.object:
                    space[name] = Entry(entry.key, entry.revision, new)

    def restart(self) -> None:
        """End all watches: what they show is no longer what is served."""
        self.era += 1
        self.wake()

    @property
    def watchers(self) -> int:
        """The number of those who wait for the next change."""
        return sum(map(len, self._waiting.values()))

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiting, self._waiting = self._waiting, {}
        for futures in waiting.values():
            self._release(futures)

    @staticmethod
    def _release(futures: Iterable[asyncio.Future[None]]) -> None:
        for future in futures:
            if not future.done():
                future.set_result(None)

    def position(self, revision: int) -> int:
        """Return the place from which ``since`` yields what came after the revision; 410 if it is too old."""
        if revision < self.oldest:
            raise errors.expired(f"too old resource version: {revision} ({self.oldest})")
        return self._dropped + bisect.bisect_right(
            self._changes, revision, key=lambda change: change.revision
        )

    def since(self, position: int) -> list[Change]:
        """Return the changes from that place on; 410 if the reader was too slow and some are gone."""
        start = position - self._dropped
        if start < 0:
            raise errors.expired(f"too old resource version: the watch fell behind ({self.oldest})")
        return self._changes[start:]

    async def changed(self, timeout: float | None, interest: Key = ("", "")) -> None:
        """Return at the next change, or after that many seconds.

        ``interest`` is a namespace, or a namespace and a name, when nothing else matters to the caller.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(interest, set()).add(future)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await future
        finally:
            waiting = self._waiting.get(interest)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[interest]

    def as_of(self, revision: int, namespace: str = "") -> list[Entry]:
        """Return the entries as they were at an earlier revision; 410 if that is too old."""
        start = self.position(revision) - self._dropped
        state = {entry.key: entry for entry in self.entries(namespace)}
        for change in reversed(self._changes[start:]):
            key = change.last.key
            if namespace and key[0] != namespace:
                continue
            if change.old is None:
                state.pop(key, None)
            else:
                state[key] = change.old
        return [state[key] for key in sorted(state)]
