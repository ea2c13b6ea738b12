from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl.apiserver import cache
from minikctl.apiserver.options import WatchOptions
from minikctl.apiserver.registry import Registry
from minikctl.errors import StoreError
from minikctl.model import kinds
from minikctl.store.store import Event, Store, WatcherTooSlow
from tests.apiserver import samples


class Slow(Store):
    """Drops each watcher after every third event."""

    async def watch(self, prefix: str, revision: int) -> AsyncIterator[Event]:
        count = 0
        async for event in super().watch(prefix, revision):
            yield event
            count += 1
            if count == 3:
                raise WatcherTooSlow("too slow")


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Slow.open(tmp_path / "store.db")
    yield store
    await store.close()


async def test_a_dropped_feed_reads_on(slow: Store) -> None:
    registry = Registry(slow)
    await registry.start()
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "default"}})
    made = [registry.create(kinds.CONFIG_MAP, "default", samples.config_map(f"m{n}")) for n in range(20)]
    await asyncio.gather(*made)
    assert len(registry.list(kinds.CONFIG_MAP, "").entries) == 20
    await registry.close()


async def test_a_closed_feed_refuses_to_wait(registry: Registry) -> None:
    await registry.close()
    with pytest.raises(StoreError, match="the store's watch has ended"):
        await registry.create(kinds.CONFIG_MAP, "default", samples.config_map())


async def test_after_a_restart_old_and_new_states_are_known(registry: Registry, store: Store) -> None:
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("kept", a="1"))
    await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("gone"))
    await store.compact(store.revision)
    await registry.delete(kinds.CONFIG_MAP, "default", "gone")
    made = await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("new"))
    again = Registry(store)
    await again.start()
    found = [entry.object for entry in again.list(kinds.CONFIG_MAP, "").entries]
    assert [each["metadata"]["name"] for each in found] == ["kept", "new"]
    assert found[1] == made
    await again.close()


async def test_an_observer_that_fails_does_not_end_the_feed(registry: Registry) -> None:
    def fail(_: object) -> None:
        raise ValueError("not understood")

    registry.feed.observe(kinds.CONFIG_MAP, fail)
    made = await registry.create(kinds.CONFIG_MAP, "default", samples.config_map("one"))
    assert registry.get(kinds.CONFIG_MAP, "default", "one") == made


async def test_a_burst_elsewhere_leaves_time_to_watches_that_wait(registry: Registry) -> None:
    """A thousand writes that the feed meets at once must not drop what a watch has had no turn to see."""
    await registry.create(kinds.NAMESPACE, "", {"metadata": {"name": "quiet"}})
    options = WatchOptions(resource_version=str(registry.feed.revision))
    batches = registry.watch(kinds.CONFIG_MAP, "quiet", options)
    watching = asyncio.ensure_future(anext(batches))
    await asyncio.sleep(0)
    writing = asyncio.gather(
        *(
            registry.create(kinds.CONFIG_MAP, "default", samples.config_map(f"m{number}"))
            for number in range(4 * cache.KEPT_CHANGES)
        )
    )
    for _ in range(20):
        await asyncio.sleep(0)
    time.sleep(0.5)  # the writer goes on while the loop is at other work
    await writing
    await registry.create(kinds.CONFIG_MAP, "quiet", samples.config_map("one"))
    (step,) = await watching
    assert step.entry is not None
    assert step.entry.key == ("quiet", "one")
    await batches.aclose()
