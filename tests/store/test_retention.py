from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from minikctl.store import retention
from minikctl.store.retention import Retention
from minikctl.store.store import Store
from tests.fakes.clock import FakeClock

HOUR = Retention(revisions=100, seconds=3600, limit=1000, interval=60)


@pytest.mark.parametrize(
    ("newest", "old", "droppable"),
    [
        (900, 0, 0),  # young history stays
        (560, 500, 460),  # old history goes but for the newest revisions
        (800, 550, 550),
        (50, 50, 0),
        (5000, 0, 4000),  # the bound holds for young history too
    ],
)
def test_what_may_go(newest: int, old: int, droppable: int) -> None:
    assert HOUR.droppable(newest, old) == droppable


async def resting(clock: FakeClock) -> None:
    """Return when the store was looked at and the next look waits for the clock."""
    async with asyncio.timeout(20):
        while not clock.sleepers:
            await asyncio.sleep(0.01)


async def test_keep_compacts_in_time(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    clock = FakeClock()
    policy = Retention(revisions=10, seconds=100, interval=50)
    await asyncio.gather(*(store.create(f"{n}", b"") for n in range(30)))
    task = asyncio.create_task(
        retention.keep(store, policy, now=lambda: time.time() + clock.monotonic(), sleep=clock.sleep),
        name="keep",
    )
    await resting(clock)
    await clock.advance(50)
    await resting(clock)
    assert store.compacted == 0
    await clock.advance(100)
    await resting(clock)
    assert store.compacted == 20
    await clock.advance(100)
    await resting(clock)
    assert store.compacted == 20
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()


async def test_what_was_old_before_a_restart_is_old_after_it(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    await asyncio.gather(*(store.create(f"{n}", b"") for n in range(30)))
    await store.close()
    store, clock = await Store.open(tmp_path / "store.db"), FakeClock()
    policy = Retention(revisions=10, seconds=100, interval=50)
    task = asyncio.create_task(
        retention.keep(store, policy, now=lambda: time.time() + 101, sleep=clock.sleep)
    )
    await resting(clock)
    assert store.compacted == 20
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.close()


async def test_keep_survives_a_store_that_fails(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    await asyncio.gather(*(store.create(f"{n}", b"") for n in range(30)))
    await store.close()
    clock = FakeClock()
    policy = Retention(revisions=1, seconds=1, limit=1, interval=50)
    task = asyncio.create_task(retention.keep(store, policy, sleep=clock.sleep))
    for _ in range(2):
        await resting(clock)
        await clock.advance(50)
    await resting(clock)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
