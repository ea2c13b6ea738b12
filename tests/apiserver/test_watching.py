from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from minikctl.apiserver import cache
from minikctl.apiserver.auth import TokenAuthenticator
from minikctl.apiserver.http import build_app
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.options import PatchOptions, WatchOptions
from minikctl.apiserver.registry import Registry, Settings
from minikctl.apiserver.watching import Step
from minikctl.errors import StatusError
from minikctl.model import kinds
from minikctl.store.store import Store
from tests.apiserver import samples
from tests.apiserver.asgi import TOKEN, Client
from tests.fakes.clock import FakeClock


async def collect(batches: AsyncIterator[list[Step]], count: int) -> list[Step]:
    found: list[Step] = []
    async with asyncio.timeout(20):
        async for batch in batches:
            found.extend(batch)
            if len(found) >= count:
                return found
    return found


def told(steps: list[Step]) -> list[tuple[str, str]]:
    return [(step.type, step.entry.key[1] if step.entry else "") for step in steps]


async def relabel(registry: Registry, name: str, labels: dict[str, Any]) -> None:
    await registry.patch(kinds.CONFIG_MAP, "default", name, {"metadata": {"labels": labels}}, PatchOptions())


async def test_a_watch_from_a_revision_tells_what_came_after(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("old"))
    start = str(registry.feed.revision)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("new"))
    await relabel(registry, "new", {"a": "b"})
    await registry.delete(kinds.CONFIG_MAP, "default", "old")
    batches = registry.watch(kinds.CONFIG_MAP, "default", WatchOptions(resource_version=start))
    steps = await collect(batches, 3)
    assert told(steps) == [("ADDED", "new"), ("MODIFIED", "new"), ("DELETED", "old")]
    last = steps[-1].entry
    assert last is not None
    assert last.object["metadata"]["resourceVersion"] == str(registry.feed.revision)


@pytest.mark.parametrize("version", ["", "0"])
async def test_a_watch_without_a_revision_begins_with_what_is_there(registry: Registry, version: str) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("old"))
    batches = registry.watch(kinds.CONFIG_MAP, "default", WatchOptions(resource_version=version))
    assert told(await collect(batches, 1)) == [("ADDED", "old")]


async def test_leaving_a_selection_looks_like_an_end(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("one"))
    options = WatchOptions(labels="a=b", resource_version=str(registry.feed.revision))
    for labels in ({"a": "b"}, {"c": "d"}, {"a": "x"}):
        await relabel(registry, "one", labels)
    steps = await collect(registry.watch(kinds.CONFIG_MAP, "default", options), 3)
    assert told(steps) == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]
    assert steps[-1].entry is not None
    assert steps[-1].entry.object["metadata"]["labels"] == {"a": "b", "c": "d"}


async def test_other_namespaces_and_names_are_not_told(registry: Registry) -> None:
    start = str(registry.feed.revision)
    for namespace, name in (("kube-public", "one"), ("default", "two"), ("default", "one")):
        await registry.create(kinds.CONFIG_MAP, namespace, samples.config_map(name))
    options = WatchOptions(fields="metadata.name=one", resource_version=start)
    steps = await collect(registry.watch(kinds.CONFIG_MAP, "default", options), 1)
    assert [step.entry.key for step in steps if step.entry] == [("default", "one")]


async def test_initial_events_end_with_a_bookmark(registry: Registry) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("one"))
    options = WatchOptions(bookmarks=True, initial_events=True, version_match="NotOlderThan")
    steps = await collect(registry.watch(kinds.CONFIG_MAP, "default", options), 2)
    assert told(steps) == [("ADDED", "one"), ("BOOKMARK", "")]
    assert steps[1].initial_end


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (WatchOptions(version_match="NotOlderThan"), "is forbidden for watch"),
        (WatchOptions(initial_events=True, bookmarks=True), "requires setting resourceVersionMatch"),
        (WatchOptions(initial_events=True, version_match="NotOlderThan"), "allowWatchBookmarks to true"),
        (WatchOptions(resource_version="abc"), "resourceVersion: Invalid value"),
    ],
)
async def test_contradictions_are_refused(registry: Registry, options: WatchOptions, text: str) -> None:
    with pytest.raises(StatusError, match=text):
        registry.watch(kinds.POD, "", options)


async def test_an_old_revision_has_expired(registry: Registry) -> None:
    for number in range(2 * cache.KEPT_CHANGES):
        registry.feed.collection(kinds.POD).apply(1000 + number, ("default", "x"), samples.pod("x"))
    with pytest.raises(StatusError, match="too old resource version: 1 ") as refusal:
        registry.watch(kinds.POD, "", WatchOptions(resource_version="1"))
    assert (refusal.value.code, refusal.value.reason) == (410, "Expired")


async def test_a_reader_that_falls_behind_is_told_so(registry: Registry) -> None:
    batches = registry.watch(kinds.POD, "", WatchOptions(resource_version=str(registry.feed.revision)))
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    for number in range(3 * cache.KEPT_CHANGES):
        registry.feed.collection(kinds.POD).apply(1000 + number, ("default", "x"), samples.pod("x"))
    with pytest.raises(StatusError, match="too old resource version"):
        await waiting


async def test_timeouts_end_a_watch(registry: Registry) -> None:
    options = WatchOptions(resource_version=str(registry.feed.revision), timeout_seconds=0.05)
    assert await collect(registry.watch(kinds.POD, "", options), 1) == []


async def test_many_watches_all_hear(registry: Registry) -> None:
    options = WatchOptions(resource_version=str(registry.feed.revision))
    watches = [collect(registry.watch(kinds.CONFIG_MAP, "", options), 1) for _ in range(200)]
    gathered = asyncio.gather(*watches)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("one"))
    heard = await gathered
    assert {steps[0].entry for steps in heard} == {heard[0][0].entry}


async def test_a_watch_goes_on_across_a_restart(registry: Registry, store: Store) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("one"))
    start = str(registry.feed.revision)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("two"))
    await registry.close()
    again = Registry(store)
    await again.start()
    steps = await collect(again.watch(kinds.CONFIG_MAP, "", WatchOptions(resource_version=start)), 1)
    assert told(steps) == [("ADDED", "two")]
    await again.close()


async def test_bookmarks_keep_an_idle_watch_young(store: Store) -> None:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    options = WatchOptions(bookmarks=True, resource_version="0")
    batches = registry.watch(kinds.POD, "", options)
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    waiting = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    await clock.advance(61)
    registry.feed.collection(kinds.POD).wake()
    steps = await waiting
    assert told(steps) == [("BOOKMARK", "")]
    assert steps[0].revision == registry.feed.revision
    await registry.close()


async def test_the_local_client_watches_objects(registry: Registry) -> None:
    client = LocalClient(registry)
    listed = await client.list(kinds.CONFIG_MAP)
    made = await client.create(
        kinds.CONFIG_MAP, {**samples.config_map(), "metadata": {"name": "x", "namespace": "default"}}
    )
    async for event in client.watch(kinds.CONFIG_MAP, resource_version=listed.resource_version):
        assert (event.type, event.object) == ("ADDED", made)
        break
    with contextlib.suppress(StatusError):
        await client.get(kinds.CONFIG_MAP, "missing", "default")


async def test_a_watch_ends_in_time_however_much_happens(store: Store) -> None:
    clock = FakeClock()
    registry = Registry(store, Settings(clock=clock))
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    options = WatchOptions(resource_version=str(registry.feed.revision), timeout_seconds=30)
    told_of, number = 0, 0
    batches = registry.watch(kinds.CONFIG_MAP, "", options)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("first"))
    async for steps in batches:
        told_of += len(steps)
        number += 1
        assert number < 10
        await clock.advance(10)
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(f"m{number}"))
    assert told_of == 4
    await registry.close()


async def test_a_watch_from_a_revision_to_come_is_not_told_what_came_before_it(registry: Registry) -> None:
    options = WatchOptions(resource_version=str(registry.feed.revision + 2))
    collecting = asyncio.ensure_future(collect(registry.watch(kinds.CONFIG_MAP, "", options), 1))
    for name in ("before", "at", "after"):
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map(name))
    assert told(await collecting) == [("ADDED", "after")]


async def test_hundreds_of_idle_watches_hear_what_concerns_them_and_leave_nothing_behind(
    registry: Registry,
) -> None:
    client = Client(build_app(registry, authenticate=TokenAuthenticator(TOKEN)))
    maps = "/api/v1/namespaces/default/configmaps"
    start = registry.feed.revision
    everybody = [await client.stream(f"{maps}?watch=1&resourceVersion={start}") for _ in range(250)]
    nobody = [
        await client.stream(f"{maps}?watch=1&resourceVersion={start}&fieldSelector=metadata.name%3Dn{number}")
        for number in range(250)
    ]
    collection = registry.feed.collection(kinds.CONFIG_MAP)
    async with asyncio.timeout(10):
        while collection.watchers < 500:
            await asyncio.sleep(0)
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("told"))
    for watch in everybody:
        [event] = await watch.take(1)
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "told")
    assert all(watch.sent.empty() for watch in nobody)
    assert (await client("GET", f"{maps}/told")).status == 200
    for watch in (*everybody, *nobody):
        await watch.leave()
    assert collection.watchers == 0
