"""When many pods end at once, few of their sandboxes leave the network at a time."""

from __future__ import annotations

import asyncio
from typing import Any

from minikctl.drivers.engine import LEAVING
from minikctl.model import kinds
from minikctl.plan.pod import names
from tests.node.harness import Bench, pod

MANY = LEAVING * 2


class Slow:
    """The engine, but for the removal of sandboxes, which waits until ``go`` is set."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.go = asyncio.Event()
        self.leaving = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def remove(self, container_id: str) -> None:
        if self._engine.spec(container_id).labels[names.ROLE] == names.PAUSE_ROLE:
            self.leaving += 1
            await self.go.wait()
        await self._engine.remove(container_id)


async def test_few_sandboxes_leave_the_network_at_a_time(bench: Bench) -> None:
    bench.engine = slow = Slow(bench.engine)
    async with bench.running():
        pods = [f"web-{number}" for number in range(MANY)]
        for name in pods:
            bench.client.put(pod(name, terminationGracePeriodSeconds=1))
        await bench.until(lambda: all(bench.ready(name) for name in pods))
        for name in pods:
            await bench.client.delete(kinds.POD, name, "default")
        boxes = slow._engine._boxes
        await bench.until(lambda: slow.leaving >= LEAVING and len(boxes) == MANY)
        for _ in range(5):
            await bench.clock.advance(1)
        assert slow.leaving == LEAVING
        slow.go.set()
        await bench.until(lambda: not boxes)
        assert slow.leaving == MANY
