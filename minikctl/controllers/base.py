"""What the controllers of this package share: they read informers and carry out plans through the API."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from minikctl import errors
from minikctl.model import objects, selectors
from minikctl.model.actions.api import Plan, RecordEvent
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Key, Object
from minikctl.runtime import clock as clocks
from minikctl.runtime import loop
from minikctl.runtime.executor import ApiExecutor

V = TypeVar("V", bound="Subject")
Enqueue = Callable[[Key], None]
Subscriber = Callable[[Object | None, Object | None], None]
CLUSTER: Key = ("", "")
"""The key of controllers that plan for the whole cluster at once."""


class Subject(Protocol):
    """A view whose status a plan may write."""

    @property
    def object(self) -> Object:
        """Return the object that the key names."""
        ...


class Cache(Protocol):
    """What controllers read: the informer of one kind."""

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the object as last seen."""
        ...

    def items(self, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects of one namespace, or all."""
        ...

    def subscribe(self, subscriber: Subscriber) -> object:
        """Call back for each object there is and for each later change."""
        ...

    async def synced(self) -> None:
        """Return once the cache is complete."""
        ...


class Caches(Protocol):
    """All informers."""

    def of(self, kind: Kind) -> Cache:
        """Return the kind's informer."""
        ...


class Index:
    """The objects of a cache by the keys that they lead to, kept up to date: nobody looks through all."""

    def __init__(self, cache: Cache, keys: Callable[[Object], Iterator[Key]]) -> None:
        self._keys = keys
        self._found: dict[Key, dict[Key, Object]] = {}
        cache.subscribe(self._changed)

    def of(self, key: Key) -> list[Object]:
        """Return the objects that lead to the key, by name."""
        return [found for _, found in sorted(self._found.get(key, {}).items())]

    def _changed(self, old: Object | None, new: Object | None) -> None:
        for key in () if old is None else self._keys(old):
            there = self._found[key]
            del there[objects.key(old or {})]
            if not there:
                del self._found[key]
        for key in () if new is None else self._keys(new):
            self._found.setdefault(key, {})[objects.key(new or {})] = new or {}


class Told:
    """The (reason, message) of Events that were told of each object, until the object is gone."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._told: dict[str, set[tuple[str, str]]] = {}
        cache.subscribe(self._changed)

    def of(self, obj: Object) -> frozenset[tuple[str, str]]:
        """Return what was told of the object."""
        return frozenset(self._told.get(objects.uid(obj), ()))

    def add(self, obj: Object, plan: Plan) -> None:
        """Note what the plan told of the object, unless that has gone meanwhile."""
        events = [(each.reason, each.message) for each in plan.actions if isinstance(each, RecordEvent)]
        present = self._cache.get(*objects.key(obj))
        if events and present is not None and objects.uid(present) == objects.uid(obj):
            self._told.setdefault(objects.uid(obj), set()).update(events)

    def forget(self, obj: Object) -> None:
        """Have everything told anew."""
        self._told.pop(objects.uid(obj), None)

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if old is not None and (new is None or objects.uid(new) != objects.uid(old)):
            self.forget(old)


class ApiController(ABC, Generic[V]):
    """A controller whose plans are API actions and the status of one object.

    ``kind`` is that object's, ``reads`` are the kinds whose caches ``observe`` reads.
    """

    name: str
    kind: Kind
    reads: tuple[Kind, ...]

    def __init__(self, caches: Caches, executor: ApiExecutor, clock: clocks.Clock) -> None:
        self.caches = caches
        self._executor = executor
        self._clock = clock

    @abstractmethod
    def subscribe(self, enqueue: Enqueue) -> None:
        """Have each key enqueued when something that its view depends on changes."""

    @abstractmethod
    async def observe(self, key: Key) -> V | None:
        """Return what a plan for the key depends on, None if there is nothing to plan."""

    @abstractmethod
    def desired(self, view: V, now: datetime) -> Plan:
        """Return the plan; pure."""

    def failed(self, view: V, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG002
        """Return how to tell the user that an action was refused; by default, nothing is told."""
        return Plan()

    async def ready(self) -> None:
        """Return once all that is read is complete."""
        for kind in self.reads:
            await self.caches.of(kind).synced()

    async def execute(self, view: V, plan: Plan) -> None:
        """Carry out the plan; a refusal is told on the object before it is raised."""
        try:
            await self._executor.execute(self.kind, view.object, plan)
        except errors.ActionFailed as failure:
            if not loop.is_conflict(failure):
                told = self.failed(view, failure.action, str(failure.error), self._clock.now())
                await self._executor.execute(self.kind, view.object, told)
            raise


class CachedController(ApiController[V]):
    """One that needs nothing but the caches."""

    @abstractmethod
    def view(self, key: Key) -> V | None:
        """Return what a plan for the key depends on, None if there is nothing to plan."""

    async def observe(self, key: Key) -> V | None:
        """Return the view of the key."""
        return self.view(key)


def on_change(cache: Cache, keys: Callable[[Object], Iterator[Key]], enqueue: Enqueue) -> None:
    """Enqueue the keys that an object leads to, before and after each of its changes."""

    def changed(old: Object | None, new: Object | None) -> None:
        found = {key for obj in (old, new) if obj is not None for key in keys(obj)}
        for key in sorted(found):
            enqueue(key)

    cache.subscribe(changed)


def own_key(obj: Object) -> Iterator[Key]:
    """Yield the object's own key."""
    yield objects.key(obj)


def owner_key(kind: Kind) -> Callable[[Object], Iterator[Key]]:
    """Return what yields the key of the controller of that kind, if an object has one."""

    def keys(obj: Object) -> Iterator[Key]:
        owner = objects.controller_of(obj)
        if owner is not None and owner.get("kind") == kind.kind and _group(owner) == kind.group:
            yield objects.namespace(obj), str(owner.get("name"))

    return keys


def adopter_keys(
    owners: Cache, selector: Callable[[Object], selectors.Selector]
) -> Callable[[Object], Iterator[Key]]:
    """Return what yields the keys of the owners that could adopt an object, which has no controller yet."""

    def keys(obj: Object) -> Iterator[Key]:
        if objects.controller_of(obj) is None:
            for owner in owners.items(objects.namespace(obj)):
                if selector(owner).matches(objects.labels(obj)):
                    yield objects.key(owner)

    return keys


def selector_of(owner: Object) -> selectors.Selector:
    """Return what selects the objects that the owner may control."""
    return selectors.of(objects.spec(owner).get("selector"))


def _group(reference: Object) -> str:
    """Return the group of an owner reference, whatever its version is."""
    return str(reference.get("apiVersion") or "").rpartition("/")[0]
