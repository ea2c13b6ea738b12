from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from minikctl import errors
from minikctl.client import informer
from minikctl.client.base import WatchEvent
from minikctl.client.informer import Informer, Informers
from minikctl.model import kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from tests.fakes.client import FakeClient


def config(name: str, namespace: str = "default", **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


@contextlib.asynccontextmanager
async def running(found: Informer | Informers) -> AsyncIterator[None]:
    task = asyncio.create_task(found.run())
    try:
        await asyncio.wait_for(found.synced(), 20)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def test_has_what_was_there_and_what_comes() -> None:
    client = FakeClient([config("a"), config("b", "other")])
    found = Informer(client, kinds.CONFIG_MAP)
    async with running(found):
        assert [objects.name(obj) for obj in found.items()] == ["a", "b"]
        made = await client.create(kinds.CONFIG_MAP, config("c"))
        await found.reached(objects.resource_version(made))
        assert found.get("default", "c") is made
        await client.delete(kinds.CONFIG_MAP, "a", "default")
        await until(lambda: found.get("default", "a") is None)
        assert [objects.name(obj) for obj in found.items("default")] == ["c"]
        assert list(found.items("nowhere")) == []


async def test_subscribers_get_old_and_new() -> None:
    client = FakeClient([config("a")])
    found = Informer(client, kinds.CONFIG_MAP)
    seen: list[tuple[str, str]] = []

    def note(old: Object | None, new: Object | None) -> None:
        seen.append((old["data"].get("v", "") if old else "-", new["data"].get("v", "") if new else "-"))

    async with running(found):
        found.subscribe(note)
        await client.patch(kinds.CONFIG_MAP, "a", "default", {"data": {"v": "2"}})
        await client.delete(kinds.CONFIG_MAP, "a", "default")
        await until(lambda: len(seen) == 3)
    assert seen == [("-", ""), ("", "2"), ("2", "-")]


async def test_lists_again_after_history_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "RETRY_SECONDS", 0.001)
    client = FakeClient([config("a"), config("b")])
    found = Informer(client, kinds.CONFIG_MAP)
    gone: list[str] = []
    found.subscribe(lambda old, new: gone.append(objects.name(old or {})) if new is None else None)
    async with running(found):
        client.remove(kinds.CONFIG_MAP, "default", "a")
        client.forget_history()
        await until(lambda: gone == ["a"])
        assert found.get("default", "b") is not None


async def test_a_failing_subscriber_does_not_stop_the_others() -> None:
    client = FakeClient()
    found = Informer(client, kinds.CONFIG_MAP)
    seen: list[str] = []

    def fail(_old: Object | None, _new: Object | None) -> None:
        raise ValueError("no")

    found.subscribe(fail)
    found.subscribe(lambda _, new: seen.append(objects.name(new or {})))
    async with running(found):
        client.put(config("a"))
        client.put(config("b"))
        await until(lambda: seen == ["a", "b"])


async def test_failures_are_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(informer, "RETRY_SECONDS", 0.001)
    client = FakeClient([config("a")])
    left: list[Exception | None] = [
        errors.StatusError(500, "InternalError", "boom"),
        errors.DriverError("away"),
        None,
    ]
    client.failures.append(lambda *_: left.pop(0) if left else None)
    found = Informer(client, kinds.CONFIG_MAP)
    async with running(found):
        assert found.get("default", "a") is not None
    assert [call[0] for call in client.calls] == ["list"] * 3


async def test_one_namespace_only() -> None:
    client = FakeClient([config("a"), config("b", "other")])
    found = Informer(client, kinds.CONFIG_MAP, "other")
    async with running(found):
        client.put(config("c"))
        client.put(config("d", "other"))
        await until(lambda: found.get("other", "d") is not None)
        assert [objects.name(obj) for obj in found.items()] == ["b", "d"]


async def test_informers_share_one_per_kind_and_start_late_ones() -> None:
    client = FakeClient([config("a")])
    shared = Informers(client)
    first = shared.of(kinds.CONFIG_MAP)
    async with running(shared):
        assert shared.of(kinds.CONFIG_MAP) is first
        assert shared.known(kinds.POD) is None
        late = shared.of(kinds.POD)
        await asyncio.wait_for(shared.synced(), 20)
        assert shared.known(kinds.POD) is late


class Shy(FakeClient):
    """Ends each watch after one event, as servers do after a while."""

    watches = 0

    async def watch(self, kind: Kind, namespace: str = "", **options: str) -> AsyncIterator[WatchEvent]:
        self.watches += 1
        async for event in super().watch(kind, namespace, **options):
            yield event
            return


async def test_goes_on_where_a_watch_ended() -> None:
    client = Shy()
    found = Informer(client, kinds.CONFIG_MAP)
    seen: list[str] = []
    found.subscribe(lambda _, new: seen.append(objects.name(new or {})))
    async with running(found):
        for name in "abc":
            client.put(config(name))
        await until(lambda: seen == ["a", "b", "c"])
    assert [call[0] for call in client.calls] == ["list"]
    assert client.watches >= 3


async def test_who_has_ended_its_subscription_is_told_no_more() -> None:
    client = FakeClient([config("a")])
    found = Informer(client, kinds.CONFIG_MAP)
    first: list[str] = []
    second: list[str] = []
    async with running(found):
        end = found.subscribe(lambda old, new: first.append(objects.name(new or old or {})))
        found.subscribe(lambda old, new: second.append(objects.name(new or old or {})))
        end()
        end()
        made = await client.create(kinds.CONFIG_MAP, config("b"))
        await found.reached(objects.resource_version(made))
    assert (first, second) == (["a"], ["a", "b"])
    assert found.subscribers == 1


async def test_a_subscriber_may_end_while_it_is_told() -> None:
    client = FakeClient()
    found = Informer(client, kinds.CONFIG_MAP)
    told: list[str] = []
    ends: list[informer.End] = []

    def once(old: Object | None, new: Object | None) -> None:
        told.append(objects.name(new or old or {}))
        ends[0]()

    async with running(found):
        ends.append(found.subscribe(once))
        found.subscribe(lambda _old, _new: told.append("other"))
        made = await client.create(kinds.CONFIG_MAP, config("a"))
        await found.reached(objects.resource_version(made))
        made = await client.create(kinds.CONFIG_MAP, config("b"))
        await found.reached(objects.resource_version(made))
    assert told == ["a", "other", "other"]


async def test_lent_informers_forget_what_subscribed_to_them_and_nobody_else() -> None:
    client = FakeClient([config("a"), config("b")])
    owner = Informers(client)
    owner.of(kinds.CONFIG_MAP).subscribe(lambda _old, _new: None)
    lent = owner.lend()
    found = lent.of(kinds.CONFIG_MAP)
    async with running(owner):
        await asyncio.wait_for(lent.synced(), 20)
        await asyncio.wait_for(found.synced(), 20)
        assert found.get("default", "a") == owner.of(kinds.CONFIG_MAP).get("default", "a")
        assert [objects.name(obj) for obj in found.items("default")] == ["a", "b"]
        assert lent.known(kinds.POD) is None
        again = lent.known(kinds.CONFIG_MAP)
        assert again is not None
        again.subscribe(lambda _old, _new: None)
        found.subscribe(lambda _old, _new: None)
        assert found.subscribers == 3
        made = await client.create(kinds.CONFIG_MAP, config("c"))
        await asyncio.wait_for(found.reached(objects.resource_version(made)), 20)
        lent.close()
        assert owner.of(kinds.CONFIG_MAP).subscribers == 1
        lent.retain(())
        assert owner.known(kinds.CONFIG_MAP) is None
