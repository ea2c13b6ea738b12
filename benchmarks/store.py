"""What the store costs: durable writes alone and together, reads, watches.  Run: python benchmarks/store.py

The first line is the disk's own price: append 1 kB to a plain file and sync it.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from minikctl.store.store import Store

VALUE = b"x" * 1024
WRITES = 300


def show(title: str, times: list[float], elapsed: float) -> None:
    """Print one line of the table."""
    ordered = sorted(times)
    middle, high = statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.99)] * 1000
    rate = len(times) / elapsed
    sys.stdout.write(f"{title:<44}{middle:>9.2f} ms{high:>9.2f} ms{rate:>11,.0f} /s\n")


async def timed(times: list[float], work: Awaitable[object]) -> None:
    """Add how long the work took."""
    begin = time.perf_counter()
    await work
    times.append(time.perf_counter() - begin)


async def measure(title: str, workers: int, wish: Callable[[int, int], Awaitable[object]]) -> None:
    """Have the workers do their share of the wishes at the same time, and print what each one took."""
    times: list[float] = []
    each = max(20, WRITES // workers)

    async def work(worker: int) -> None:
        for number in range(each):
            await timed(times, wish(worker, number))

    begin = time.perf_counter()
    await asyncio.gather(*(work(worker) for worker in range(workers)))
    show(title, times, time.perf_counter() - begin)


def disk(directory: Path) -> None:
    """Print what the disk itself takes for one durable append."""
    times = []
    begin = time.perf_counter()
    with (directory / "plain").open("ab", buffering=0) as file:
        for _ in range(WRITES):
            start = time.perf_counter()
            file.write(VALUE)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - start)
    show("the disk: append and fdatasync", times, time.perf_counter() - begin)


async def watched(store: Store) -> None:
    """Print how long it takes from asking for a write to its event, with 100 watchers."""
    times: list[float] = []
    starts: dict[str, float] = {}

    async def watch() -> None:
        async for event in store.watch("w/", store.revision):
            times.append(time.perf_counter() - starts[event.row.key])

    watchers = [asyncio.create_task(watch()) for _ in range(100)]
    await asyncio.sleep(0.01)
    begin = time.perf_counter()
    for number in range(100):
        starts[f"w/{number}"] = time.perf_counter()
        await store.create(f"w/{number}", VALUE)
    await asyncio.sleep(0.01)
    show("event at each of 100 watchers", times, time.perf_counter() - begin)
    for task in watchers:
        task.cancel()


def creating(store: Store, workers: int) -> Callable[[int, int], Awaitable[object]]:
    """Return what creates an object for each worker and number."""
    return lambda worker, number: store.create(f"c{workers}/{worker}/{number}", VALUE)


async def main() -> None:
    """Print the table."""
    sys.stdout.write(f"{'':<44}{'p50':>12}{'p99':>12}{'rate':>13}\n")
    with tempfile.TemporaryDirectory(prefix="minikctl-bench-", dir=".") as name:
        directory = Path(name)
        disk(directory)
        store = await Store.open(directory / "store.db")
        for workers in (1, 10, 100):
            title = f"create, {workers} at a time"
            await measure(title, workers, creating(store, workers))
        await measure("get", 1, lambda w, n: store.get(f"c1/{w}/{n}"))
        await measure("list 1,000 of them", 1, lambda w, n: store.list("c", limit=1000))  # noqa: ARG005
        await watched(store)
        await store.close()


if __name__ == "__main__":
    uvloop.run(main())
