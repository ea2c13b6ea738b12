from __future__ import annotations

import asyncio
from pathlib import Path

from minikctl.store import retention
from minikctl.store.retention import Ages, Retention
from minikctl.store.store import Store
from tests.fakes.clock import FakeClock, settle

HOUR = Retention(revisions=100, seconds=3600, limit=1000, interval=60)


def test_young_history_stays_whatever_its_length() -> None:
    ages = Ages(HOUR)
    assert ages.droppable(0, 900) == 0
    assert ages.droppable(3599, 950) == 0


def test_old_history_goes_but_for_the_newest_revisions() -> None:
    ages = Ages(HOUR)
    ages.droppable(0, 500)
    ages.droppable(60, 550)
    assert ages.droppable(3600, 560) == 460
    assert ages.droppable(3660, 800) == 550
    assert ages.droppable(3661, 800) == 550


def test_an_idle_store_ages_too() -> None:
    ages = Ages(HOUR)
    for minute in range(62):
        found = ages.droppable(minute * 60, 500)
    assert found == 400


def test_the_bound_holds_for_young_history_too() -> None:
    assert Ages(HOUR).droppable(0, 5000) == 4000


async def test_keep_compacts_in_time(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db")
    clock = FakeClock()
    policy = Retention(revisions=10, seconds=100, interval=50)
    task = asyncio.create_task(
        retention.keep(store, policy, monotonic=clock.monotonic, sleep=clock.sleep), name="keep"
    )
    await asyncio.gather(*(store.create(f"{n}", b"") for n in range(30)))
    await settle()
    await clock.advance(60)
    assert store.compacted == 0
    await clock.advance(100)
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
    task = asyncio.create_task(
        retention.keep(store, policy, monotonic=clock.monotonic, sleep=clock.sleep), name="keep"
    )
    await clock.advance(120)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
