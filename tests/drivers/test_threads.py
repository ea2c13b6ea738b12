"""Blocking work beside the loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterable, Iterator

import pytest

from minikctl.drivers import threads


class Source(threads.ClosableIterable):
    """Gives numbers as bytes until it is closed; ``limit`` ends it, with ``failure`` if there is one."""

    def __init__(self, limit: int, failure: Exception | None = None) -> None:
        self.limit = limit
        self.failure = failure
        self.given = 0
        self.closed = threading.Event()

    def chunks(self) -> Iterable[bytes]:
        while self.given < self.limit and not self.closed.is_set():
            self.given += 1
            yield str(self.given).encode()
        if self.failure:
            raise self.failure

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def pool() -> Iterator[threads.Threads]:
    """Threads, ended with the test."""
    made = threads.Threads("test", quick=2)
    yield made
    made.close()


async def test_results_and_errors_come_back(pool: threads.Threads) -> None:
    for run in (pool.quick, pool.patient):
        assert await run(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await run(lambda: 1 // 0)


async def test_patient_work_leaves_the_quick_threads_free(pool: threads.Threads) -> None:
    gate = threading.Event()
    waiting = [asyncio.ensure_future(pool.patient(gate.wait)) for _ in range(8)]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(pool.quick(lambda: 1), 20) == 1
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 8


async def test_a_stream_is_read_to_its_end(pool: threads.Threads) -> None:
    source = Source(500)
    assert [int(chunk) async for chunk in pool.stream(lambda: source)] == list(range(1, 501))
    assert source.closed.is_set()


async def test_a_source_that_opens_when_nobody_waits_any_more_is_closed(pool: threads.Threads) -> None:
    source, gate = Source(5), threading.Event()

    def opened() -> Source:
        gate.wait(5)
        return source

    reading = asyncio.ensure_future(anext(pool.stream(opened)))
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    gate.set()
    for _ in range(500):
        if source.closed.is_set():
            break
        await asyncio.sleep(0.01)
    assert source.closed.is_set()


async def test_a_source_that_fails_when_nobody_waits_any_more_is_let_be(pool: threads.Threads) -> None:
    gate, told = threading.Event(), list[object]()

    def opened() -> Source:
        gate.wait(5)
        raise OSError("gone")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    reading = asyncio.ensure_future(anext(pool.stream(opened)))
    await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    gate.set()
    assert await pool.quick(lambda: 1) == 1
    await asyncio.sleep(0.05)
    assert told == []


async def test_a_slow_reader_holds_the_source_back(pool: threads.Threads) -> None:
    source = Source(10_000)
    async with contextlib.aclosing(pool.stream(lambda: source)) as stream:
        assert await anext(stream) == b"1"
        await asyncio.sleep(0.05)
        assert source.given < 200
    assert source.closed.is_set()


async def test_a_streams_failure_comes_after_what_it_gave(pool: threads.Threads) -> None:
    stream = pool.stream(lambda: Source(3, OSError("gone")))
    assert [await anext(stream) for _ in range(3)] == [b"1", b"2", b"3"]
    with pytest.raises(OSError, match="gone"):
        await anext(stream)


async def test_a_source_that_cannot_be_opened_raises(pool: threads.Threads) -> None:
    def refuse() -> Source:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await anext(pool.stream(refuse))
