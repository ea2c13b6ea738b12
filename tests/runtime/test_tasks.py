from __future__ import annotations

import asyncio

import pytest

from minikctl.runtime import tasks
from tests.fakes.clock import settle


async def fail() -> None:
    raise ValueError("broken")


async def test_a_failure_reaches_its_handler_and_nobody_else() -> None:
    seen: list[tuple[str, str]] = []
    owner = tasks.Tasks(lambda name, error: seen.append((name, str(error))))
    other = owner.start(asyncio.sleep(3600), "sleeper")
    owner.start(fail(), "failing")
    await settle()
    assert seen == [("failing", "broken")]
    assert not other.done()
    assert len(owner) == 1
    await owner.close()
    assert other.cancelled()
    assert len(owner) == 0


async def test_a_failure_is_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    owner = tasks.Tasks()
    owner.start(fail(), "failing")
    await owner.idle()
    assert "task failing failed: broken" in caplog.text


async def test_first_ends_with_the_first_and_cancels_the_rest() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("forever")

    await tasks.first(forever(), asyncio.sleep(0))
    assert ended == ["forever"]


async def test_first_raises_what_the_first_raised() -> None:
    with pytest.raises(ValueError, match="broken"):
        await tasks.first(fail(), asyncio.sleep(3600))
