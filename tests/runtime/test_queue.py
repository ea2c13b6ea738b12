from __future__ import annotations

import asyncio

import pytest

from minikctl.runtime.backoff import Backoff
from minikctl.runtime.queue import WorkQueue
from tests.fakes.clock import FakeClock, settle


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def taken(queue: WorkQueue[str]) -> list[str]:
    found = []
    while len(queue):
        found.append(await queue.get())
    return found


async def test_a_waiting_key_is_not_repeated(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    for key in ("a", "b", "a"):
        queue.add(key)
    assert await taken(queue) == ["a", "b"]


async def test_a_key_is_worked_on_once_at_a_time(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    assert queue.busy
    queue.done("a")
    assert await taken(queue) == ["a"]
    queue.done("a")
    assert not queue.busy


async def test_getters_wait_and_each_key_wakes_one(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await settle()
    queue.add("a")
    await settle()
    assert (first.done(), second.done()) == (True, False)
    queue.add("b")
    assert await second == "b"


async def test_a_cancelled_getter_passes_its_wake_up_on(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    first, second, third = (asyncio.create_task(queue.get()) for _ in range(3))
    await settle()
    third.cancel()
    await settle()
    queue.add("a")
    first.cancel()
    assert await second == "a"


async def test_a_getter_that_is_about_to_be_cancelled_is_not_woken(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await settle()
    first.cancel()
    queue.add("a")
    assert await second == "a"


async def test_a_woken_getter_may_be_cancelled_when_its_key_is_taken(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    getter = asyncio.create_task(queue.get())
    await settle()
    queue.add("a")
    getter.cancel()
    assert await queue.get() == "a"
    await settle()
    assert getter.cancelled()


async def test_cancelling_the_only_getter_keeps_the_key(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    getter = asyncio.create_task(queue.get())
    await settle()
    queue.add("a")
    getter.cancel()
    await settle()
    assert await queue.get() == "a"


async def test_delayed_keys_come_at_their_time(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock)
    pump = asyncio.create_task(queue.run())
    queue.add_after("late", 10)
    queue.add_after("soon", 2)
    queue.add_after("late", 20)
    queue.add_after("now", 0)
    assert await taken(queue) == ["now"]
    await clock.advance(2)
    assert await taken(queue) == ["soon"]
    queue.add_after("late", 3)
    await clock.advance(3)
    assert await taken(queue) == ["late"]
    queue.done("late")
    await clock.advance(60)
    assert len(queue) == 0
    pump.cancel()


async def test_failures_of_a_key_wait_longer_until_it_is_forgotten(clock: FakeClock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock, Backoff(1.0, 5.0))
    assert [queue.add_rate_limited("a") for _ in range(5)] == [1.0, 2.0, 4.0, 5.0, 5.0]
    assert queue.failures("a") == 5
    assert queue.add_rate_limited("b") == 1.0
    queue.forget("a")
    assert queue.failures("a") == 0
    assert queue.add_rate_limited("a") == 1.0
