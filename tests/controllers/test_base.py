from __future__ import annotations

from collections.abc import Iterator

from minikctl.controllers import base
from minikctl.model import objects
from minikctl.model.actions.api import Plan, RecordEvent
from minikctl.model.objects import Object


class OneObject:
    """A cache of one object, which a test replaces."""

    def __init__(self, obj: Object) -> None:
        self._obj: Object | None = obj
        self._subscribers: list[base.Subscriber] = []

    def get(self, namespace: str, name: str) -> Object | None:
        """Return it by its name."""
        found = self._obj
        return found if found is not None and objects.key(found) == (namespace, name) else None

    def items(self, namespace: str | None = None) -> Iterator[Object]:
        """Yield it."""
        del namespace
        yield from () if self._obj is None else (self._obj,)

    def subscribe(self, subscriber: base.Subscriber) -> None:
        """Call back from now on."""
        self._subscribers.append(subscriber)

    async def synced(self) -> None:
        """Return at once."""

    def set(self, obj: Object | None) -> None:
        """Replace the object and tell."""
        old, self._obj = self._obj, obj
        for subscriber in self._subscribers:
            subscriber(old, obj)


def claim(uid: str, label: str = "") -> Object:
    return {"metadata": {"name": "c", "namespace": "default", "uid": uid, "labels": {"a": label}}}


def test_what_was_told_is_known_until_the_object_is_gone() -> None:
    first, second = claim("1"), claim("2")
    cache = OneObject(first)
    told = base.Told(cache)
    plan = Plan((RecordEvent(first, "Normal", "Waiting", "for a pod", "test"),))
    told.add(first, Plan())
    assert told.of(first) == frozenset()
    told.add(first, plan)
    cache.set(claim("1", "changed"))
    assert told.of(first) == {("Waiting", "for a pod")}
    cache.set(second)
    assert told.of(first) == frozenset()
    told.add(second, plan)
    cache.set(None)
    assert told.of(second) == frozenset()
    told.add(second, plan)  # by a plan that was still being carried out
    assert told.of(second) == frozenset()
