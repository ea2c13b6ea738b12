from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from minikctl import errors
from minikctl.client.base import DeleteOptions
from minikctl.model import kinds, objects
from minikctl.model.actions.api import ApiAction, Create, Delete, Patch, Plan, RecordEvent, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.runtime import executor as executors
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle


class Recorder:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def record(self, action: RecordEvent) -> None:
        self.events.append(action.message)


class Cache:
    """A cache that a test fills when it likes."""

    def __init__(self, client: FakeClient, kind: Kind) -> None:
        self._client, self._kind = client, kind
        self._objects: dict[objects.Key, Object] = {}
        self._subscribers: list[Callable[[Object | None, Object | None], None]] = []
        self._changed = asyncio.Event()
        self.revision = 0
        self.catch_up()

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def subscribe(self, callback: Callable[[Object | None, Object | None], None]) -> None:
        self._subscribers.append(callback)

    async def reached(self, revision: str) -> None:
        while self.revision < int(revision):
            self._changed.clear()
            await self._changed.wait()

    def catch_up(self) -> None:
        """Show what the API has now."""
        before = self._objects
        self._objects = {objects.key(each): each for each in self._client.all(self._kind)}
        for key in before.keys() | self._objects.keys():
            if before.get(key) != self._objects.get(key):
                for subscriber in self._subscribers:
                    subscriber(before.get(key), self._objects.get(key))
        self.revision = self._client.revision
        self._changed.set()


class World:
    """An executor with all that it works with."""

    def __init__(self, *given: Object) -> None:
        self.clock = FakeClock()
        self.client = FakeClient(given, now=self.clock.now)
        self.recorder = Recorder()
        self.caches: dict[str, Cache] = {}
        self.executor = executors.ApiExecutor(
            self.client, self.recorder, self.clock, lambda kind: self.caches.get(kind.resource)
        )

    def follow(self, kind: Kind) -> Cache:
        """Begin to cache a kind."""
        return self.caches.setdefault(kind.resource, Cache(self.client, kind))

    async def run(self, *actions: ApiAction, status: dict[str, Any] | None = None) -> None:
        """Execute a plan about the first ConfigMap or the Pod."""
        subject = next(iter(self.client.all(kinds.POD)), {})
        await self.executor.execute(kinds.POD, subject, Plan(actions, status))

    def names(self, kind: Kind) -> list[str]:
        """Return the names of what is stored."""
        return [objects.name(each) for each in self.client.all(kind)]


def thing(name: str, **fields: Any) -> Object:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"},
        **fields,
    }


def pod(name: str = "p") -> Object:
    """Return a Pod on a node."""
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": "one"},
        "status": {},
    }


def event(message: str) -> RecordEvent:
    """Return an Event."""
    return RecordEvent(thing("a"), "Normal", "R", message, "test")


async def test_every_action_does_what_it_says() -> None:
    world = World(thing("old"), thing("patched"), thing("updated"), pod())
    updated = world.client.find(kinds.CONFIG_MAP, "default", "updated")
    assert updated is not None
    await world.run(
        event("first"),
        Create(kinds.CONFIG_MAP, thing("new")),
        event("created"),
        Patch(kinds.CONFIG_MAP, "default", "patched", {"data": {"a": "1"}}),
        Update(kinds.CONFIG_MAP, {**updated, "data": {"b": "2"}}),
        Delete(kinds.CONFIG_MAP, "default", "old"),
        status={"phase": "Running"},
    )
    assert world.names(kinds.CONFIG_MAP) == ["new", "patched", "updated"]
    assert world.recorder.events == ["first", "created"]
    (found,) = world.client.all(kinds.POD)
    assert found["status"] == {"phase": "Running"}


async def test_what_is_done_already_is_done() -> None:
    world = World(thing("a"))
    await world.run(
        Create(kinds.CONFIG_MAP, thing("a")),
        Patch(kinds.CONFIG_MAP, "default", "gone", {}),
        Delete(kinds.CONFIG_MAP, "default", "gone"),
        Delete(kinds.CONFIG_MAP, "default", "a", uid="of an earlier one", propagation="Foreground"),
        Delete(kinds.CONFIG_MAP, "default", "a", uid="of an earlier one", propagation="Orphan"),
    )
    assert world.names(kinds.CONFIG_MAP) == ["a"]


async def test_nothing_is_created_in_a_namespace_that_ends() -> None:
    world = World()
    refusal = errors.forbidden("configmaps", "", "a", "because it is being terminated")
    refusal.details["causes"] = [{"reason": "NamespaceTerminating"}]
    world.client.failures.append(lambda *_: refusal)
    await world.run(Create(kinds.CONFIG_MAP, thing("a")))


async def test_a_status_that_is_the_same_is_not_written() -> None:
    world = World({**pod(), "status": {"phase": "Running"}})
    await world.run(status={"phase": "Running"})
    assert world.client.calls == []


async def test_a_status_follows_an_own_write_of_the_same_plan() -> None:
    world = World(pod())
    await world.run(
        Patch(kinds.POD, "default", "p", {"metadata": {"labels": {"a": "b"}}}), status={"phase": "Running"}
    )
    (found,) = world.client.all(kinds.POD)
    assert found["status"] == {"phase": "Running"}
    assert objects.labels(found) == {"a": "b"}


async def test_a_status_after_an_own_write_keeps_what_others_wrote_before_that() -> None:
    world = World(pod())
    (stale,) = world.client.all(kinds.POD)
    noted = {**stale, "metadata": {**stale["metadata"], "annotations": {"note": "kept"}}}
    world.client.put(noted)
    own = Patch(kinds.POD, "default", "p", {"metadata": {"labels": {"a": "b"}}})
    sent = []
    update = world.client.update

    async def watched(kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        sent.append(obj)
        return await update(kind, obj, subresource=subresource)

    world.client.update = watched  # type: ignore[method-assign]
    await world.executor.execute(kinds.POD, stale, Plan((own,), {"phase": "Running"}))
    assert [objects.annotations(each) for each in sent] == [{"note": "kept"}]
    (found,) = world.client.all(kinds.POD)
    assert found["status"] == {"phase": "Running"}


async def test_a_status_that_others_wrote_is_not_overwritten_after_an_own_write() -> None:
    world = World(pod())
    (stale,) = world.client.all(kinds.POD)
    world.client.put({**stale, "status": {"phase": "Failed"}})
    own = Patch(kinds.POD, "default", "p", {"metadata": {"labels": {"a": "b"}}})
    await world.executor.execute(kinds.POD, stale, Plan((own,), {"phase": "Running"}))
    (found,) = world.client.all(kinds.POD)
    assert found["status"] == {"phase": "Failed"}


async def test_a_stale_status_is_a_conflict() -> None:
    world = World(pod())
    (stale,) = world.client.all(kinds.POD)
    world.client.put({**stale, "spec": {"nodeName": "two"}})
    with pytest.raises(errors.ActionFailed, match="the object has been modified"):
        await world.executor.execute(kinds.POD, stale, Plan(status={"phase": "Running"}))


async def test_the_first_failure_stops_the_plan() -> None:
    world = World()
    world.client.failures.append(lambda *call: errors.bad_request("no") if call[-1] == "b" else None)
    actions: list[ApiAction] = []
    for name in "abcd":
        actions += [Create(kinds.CONFIG_MAP, thing(name)), event(name)]
    with pytest.raises(errors.ActionFailed) as failure:
        await world.run(*actions, status={"phase": "Running"})
    assert isinstance(failure.value.action, Create)
    assert objects.name(failure.value.action.object) == "b"
    assert world.names(kinds.CONFIG_MAP) == ["a", "c"], "b and c were tried together, d was not"
    assert world.recorder.events == ["a", "c"]


@pytest.mark.parametrize("verb", ["delete", "patch"])
async def test_other_refusals_are_failures(verb: str) -> None:
    world = World(thing("a"))
    world.client.failures.append(lambda *_: errors.bad_request("no"))
    actions: dict[str, ApiAction] = {
        "delete": Delete(kinds.CONFIG_MAP, "default", "a"),
        "patch": Patch(kinds.CONFIG_MAP, "default", "a", {}),
    }
    with pytest.raises(errors.ActionFailed):
        await world.run(actions[verb])


async def test_a_plan_ends_when_the_caches_show_it() -> None:
    world = World(thing("old"), thing("gone"), pod("leaving"), pod("p"))
    configs, pods = world.follow(kinds.CONFIG_MAP), world.follow(kinds.POD)
    task = asyncio.create_task(
        world.run(
            Create(kinds.CONFIG_MAP, thing("new")),
            Delete(kinds.CONFIG_MAP, "default", "gone"),
            Delete(kinds.POD, "default", "leaving"),
        )
    )
    await settle()
    assert not task.done()
    configs.catch_up()
    await settle()
    assert not task.done()
    pods.catch_up()
    await settle()
    assert task.done()
    await world.run(Create(kinds.EVENT, {**thing("e"), "kind": "Event"}))


async def test_a_cache_that_is_ahead_is_not_waited_for() -> None:
    world = World(thing("a"))
    cache = world.follow(kinds.CONFIG_MAP)
    world.client.failures.append(lambda *_: cache.catch_up())
    await world.run(Patch(kinds.CONFIG_MAP, "default", "a", {}))


async def test_something_that_is_gone_before_it_was_seen_is_not_waited_for() -> None:
    world = World()
    cache = world.follow(kinds.CONFIG_MAP)
    task = asyncio.create_task(world.run(Create(kinds.CONFIG_MAP, thing("a"))))
    await settle()
    world.client.remove(kinds.CONFIG_MAP, "default", "a")
    cache.catch_up()
    await settle()
    assert task.done()


async def test_waiting_for_a_cache_has_an_end() -> None:
    world = World()
    world.follow(kinds.CONFIG_MAP)
    task = asyncio.create_task(world.run(Create(kinds.CONFIG_MAP, thing("a"))))
    await world.clock.advance(executors.SETTLE_SECONDS)
    assert task.done()


async def test_who_is_asked_to_end_does_not_wait_for_caches() -> None:
    class Hanging(FakeClient):
        async def delete(
            self, kind: Kind, name: str, namespace: str = "", options: DeleteOptions | None = None
        ) -> Object:
            await asyncio.Event().wait()
            return await super().delete(kind, name, namespace, options)

    world = World()
    world.client = Hanging([thing("a"), thing("b")], now=world.clock.now)
    cache = world.follow(kinds.CONFIG_MAP)
    world.executor = executors.ApiExecutor(world.client, world.recorder, world.clock, lambda _: cache)
    task = asyncio.create_task(
        world.run(
            Patch(kinds.CONFIG_MAP, "default", "a", {"data": {"a": "1"}}),
            Delete(kinds.CONFIG_MAP, "default", "b"),
        )
    )
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()


async def test_a_kind_that_came_back_has_a_cache_of_its_own() -> None:
    world = World(thing("before"), thing("after"))
    for name in ("before", "after"):
        cache = world.caches[kinds.CONFIG_MAP.resource] = Cache(world.client, kinds.CONFIG_MAP)
        task = asyncio.create_task(world.run(Delete(kinds.CONFIG_MAP, "default", name)))
        await settle()
        assert not task.done()
        cache.catch_up()
        await settle()
        assert task.done()
