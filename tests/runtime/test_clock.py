from __future__ import annotations

from datetime import UTC

import pytest

from minikctl.runtime.clock import SystemClock


async def test_the_system_clock_tells_utc_and_goes_on() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now().tzinfo is UTC


async def test_the_time_that_a_machine_slept_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, kernel = [1_000_000.0], [50.0]
    clock = SystemClock(lambda: wall[0], lambda: kernel[0])

    async def night(seconds: float) -> None:
        kernel[0] += seconds
        wall[0] += 8 * 3600

    monkeypatch.setattr("minikctl.runtime.clock.asyncio.sleep", night)
    began = clock.monotonic()
    await clock.sleep(7 * 3600)
    assert 8 * 3600 <= clock.monotonic() - began < 17 * 3600


def test_a_clock_that_is_set_back_does_not_count() -> None:
    wall, kernel = [1_000_000.0], [50.0]
    clock = SystemClock(lambda: wall[0], lambda: kernel[0])
    wall[0] -= 3600
    assert clock.monotonic() == 50
    kernel[0] += 1
    wall[0] += 1
    assert clock.monotonic() == 51
    wall[0] += 3600
    assert clock.monotonic() == 51 + 3600
