from __future__ import annotations

import asyncio

from tests.fakes.clock import FakeClock, settle


async def test_sleepers_wake_in_the_order_of_their_times() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))
        if name == "b":
            await sleeper("after-b", 1)

    tasks = [asyncio.create_task(sleeper(name, s)) for name, s in (("c", 3), ("b", 1), ("now", 0), ("d", 9))]
    await settle()
    assert woken == [("now", 0.0)]
    assert clock.sleepers == 3
    await clock.advance(5)
    assert woken == [("now", 0.0), ("b", 1.0), ("after-b", 2.0), ("c", 3.0)]
    assert clock.monotonic() == 5
    tasks[3].cancel()
    await settle()
    assert clock.sleepers == 0
    await clock.advance(10)
    assert clock.now().isoformat() == "2026-01-01T00:00:15+00:00"
