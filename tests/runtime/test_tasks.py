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


async def test_a_task_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def retry() -> None:
        """Lose the first cancellation, as ``wait_for`` does when the answer comes in the same turn."""
        try:
            await refused
        except asyncio.CancelledError:
            assert tasks.is_ending()
        await asyncio.Event().wait()

    owner = tasks.Tasks()
    task = owner.start(retry(), "retrying")
    await settle()
    await owner.close()
    assert task.cancelled()
    assert not tasks.is_ending()


async def test_what_ending_tasks_raise_is_dropped() -> None:
    running = [asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(3600))]
    await tasks.end([*running])
    assert all(task.done() for task in running)


async def test_work_done_apart_may_fail_in_a_group() -> None:
    """As a node's does that starts again, and is not taken for one that was asked to end."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(asyncio.sleep(60))

    with pytest.raises(ExceptionGroup):
        await tasks.apart(work())
    assert not tasks.is_ending()


async def test_work_done_apart_ends_with_who_waits_for_it() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    waiting = asyncio.create_task(tasks.apart(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_what_has_to_be_whole_goes_on_when_its_waiter_is_cancelled() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        await go_on.wait()
        done.set()
        return 7

    waiting = asyncio.create_task(tasks.whole(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled()
    go_on.set()
    await asyncio.wait_for(done.wait(), 20)
    assert await tasks.whole(work()) == 7
