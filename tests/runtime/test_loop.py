from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest

from minikctl import errors
from minikctl.model.actions.api import Plan
from minikctl.runtime import loop
from minikctl.runtime.backoff import Backoff
from tests.fakes.clock import FakeClock, settle


class Recording:
    """A controller that writes down what it is asked for."""

    name = "recording"

    def __init__(self) -> None:
        self.enqueue: Callable[[str], None] = lambda _: None
        self.synced = asyncio.Event()
        self.done: list[tuple[str, float]] = []
        self.failures: dict[str, list[Exception]] = {}
        self.wake_in: float | None = None
        self.running: set[str] = set()
        self.pause = 0.0
        self.clock = FakeClock()

    def subscribe(self, enqueue: Callable[[str], None]) -> None:
        self.enqueue = enqueue

    async def ready(self) -> None:
        await self.synced.wait()

    async def observe(self, key: str) -> str | None:
        return None if key.startswith("gone") else key

    def desired(self, view: str, now: datetime) -> Plan:
        assert now == self.clock.now()
        return Plan(wake_in=self.wake_in)

    async def execute(self, view: str, plan: Plan) -> None:
        assert view not in self.running, "two workers on one key"
        self.running.add(view)
        if self.pause:
            await self.clock.sleep(self.pause)
        self.running.discard(view)
        self.done.append((view, self.clock.monotonic()))
        if self.failures.get(view):
            raise self.failures[view].pop(0)


@contextlib.asynccontextmanager
async def running(controller: Recording, workers: int = 1) -> AsyncIterator[loop.ControlLoop[str, str]]:
    """Run the controller's loop during the block."""
    found: loop.ControlLoop[str, str] = loop.ControlLoop(
        controller, controller.clock, workers=workers, backoff=Backoff(1.0, 8.0)
    )
    task = asyncio.create_task(found.run())
    await settle()
    yield found
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_nothing_is_planned_before_the_caches_are_complete() -> None:
    controller = Recording()
    async with running(controller):
        controller.enqueue("a")
        await settle()
        assert controller.done == []
        controller.synced.set()
        await settle()
        assert controller.done == [("a", 0.0)]


async def test_a_failure_backs_off_and_success_forgets_it(caplog: pytest.LogCaptureFixture) -> None:
    controller = Recording()
    controller.synced.set()
    controller.failures["a"] = [
        errors.StoreError("disk full"),
        ValueError("a bug"),
        errors.StoreError("again"),
    ]
    async with running(controller) as found:
        controller.enqueue("a")
        await controller.clock.advance(30)
        assert controller.done == [("a", 0.0), ("a", 1.0), ("a", 3.0), ("a", 7.0)]
        assert found.queue.failures("a") == 0
    assert "disk full" in caplog.text
    assert caplog.text.count("Traceback") == 1, "only a bug has a traceback"


async def test_a_conflict_is_planned_again_quietly(caplog: pytest.LogCaptureFixture) -> None:
    controller = Recording()
    controller.synced.set()
    conflict = errors.conflict("pods", "", "a", "changed")
    controller.failures["a"] = [conflict, errors.ActionFailed(None, conflict)]
    async with running(controller):
        controller.enqueue("a")
        await controller.clock.advance(10)
    assert len(controller.done) == 3
    assert caplog.text == ""


async def test_a_plan_may_ask_to_be_made_again_later() -> None:
    controller = Recording()
    controller.synced.set()
    controller.wake_in = 5.0
    async with running(controller):
        controller.enqueue("a")
        await controller.clock.advance(11)
        assert controller.done == [("a", 0.0), ("a", 5.0), ("a", 10.0)]


async def test_keys_without_a_view_end_their_failures() -> None:
    controller = Recording()
    controller.synced.set()
    async with running(controller) as found:
        found.queue.add_rate_limited("gone")
        await controller.clock.advance(2)
        assert controller.done == []
        assert found.queue.failures("gone") == 0


async def test_workers_share_keys_but_never_one_key() -> None:
    controller = Recording()
    controller.synced.set()
    controller.pause = 1.0
    async with running(controller, workers=3):
        for key in ("a", "b", "c", "d"):
            controller.enqueue(key)
        await settle()
        assert controller.running == {"a", "b", "c"}
        controller.enqueue("a")
        await controller.clock.advance(5)
    assert sorted(key for key, _ in controller.done) == ["a", "a", "b", "c", "d"]
