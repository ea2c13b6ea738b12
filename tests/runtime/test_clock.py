from __future__ import annotations

from datetime import UTC

from minikctl.runtime.clock import SystemClock


async def test_the_system_clock_tells_utc_and_goes_on() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
    assert clock.now().tzinfo is UTC
