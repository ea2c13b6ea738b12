"""Containers are made while their sandbox starts, whatever comes in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from minikctl import errors
from minikctl.client.base import DeleteOptions
from minikctl.drivers.engine import ContainerSpec
from minikctl.model import kinds
from minikctl.plan.pod import names
from tests.node.harness import Bench, pod


class Slow:
    """The engine, but for the start of sandboxes, which waits until ``go`` is set and may be refused."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.go = asyncio.Event()
        self.refusals: list[errors.DriverError] = []
        self.unmade = 0
        """So many app containers are refused."""

    async def create(self, spec: ContainerSpec) -> str:
        if self.unmade and spec.labels[names.ROLE] == names.APP_ROLE:
            self.unmade -= 1
            raise errors.DriverError("no space left")
        return str(await self._engine.create(spec))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def start(self, container_id: str) -> None:
        if self._engine.spec(container_id).labels[names.ROLE] == names.PAUSE_ROLE:
            await self.go.wait()
            if self.refusals:
                raise self.refusals.pop()
        await self._engine.start(container_id)


@contextlib.asynccontextmanager
async def held(bench: Bench) -> AsyncIterator[Slow]:
    """Run an agent until the container of pod ``web`` is made and its sandbox waits to be started."""
    bench.engine = slow = Slow(bench.engine)
    async with bench.running():
        bench.client.put(pod("web", terminationGracePeriodSeconds=1))
        await bench.until(lambda: bench.phase("web") == "Pending" and made(bench))
        yield slow


def made(bench: Bench) -> str:
    """Return the id of the one app container, "" if there is none."""
    found = [box.id for box in bench.engine._boxes.values() if box.spec.labels[names.ROLE] == names.APP_ROLE]
    assert len(found) <= 1
    return found[0] if found else ""


async def test_a_container_is_made_before_its_sandbox_runs_and_used_after_it(bench: Bench) -> None:
    async with held(bench) as engine:
        first = made(bench)
        assert {each.status for each in await bench.containers()} == {"created"}
        assert bench.waiting("web") == "ContainerCreating"
        engine.go.set()
        await bench.until(lambda: bench.ready("web"))
        assert made(bench) == first
        assert bench.events.reasons == ["Pulled", "Created", "Started"]
        assert bench.container("web")["restartCount"] == 0


async def test_a_control_plane_that_ends_between_leaves_nothing_in_the_way(bench: Bench) -> None:
    async with held(bench) as engine:
        first = made(bench)
    engine.go.set()
    async with bench.running():
        await bench.until(lambda: bench.ready("web"))
        assert made(bench) not in ("", first)
        assert bench.container("web")["restartCount"] == 0
        assert len(await bench.containers()) == 2


async def test_a_sandbox_that_cannot_start_takes_what_was_made_for_it_with_it(bench: Bench) -> None:
    async with held(bench) as engine:
        first = made(bench)
        engine.refusals = [errors.DriverError("port is already allocated")]
        engine.go.set()
        await bench.until(lambda: bench.ready("web"))
        assert made(bench) not in ("", first)
        assert bench.container("web")["restartCount"] == 0


async def test_a_pod_that_is_deleted_meanwhile_leaves_nothing(bench: Bench) -> None:
    async with held(bench) as engine:
        await bench.client.delete(kinds.POD, "web", "default", DeleteOptions(grace_seconds=1))
        engine.go.set()
        await bench.until(lambda: bench.phase("web") == "")
        assert await bench.containers() == []


async def test_a_container_that_cannot_be_made_ahead_is_refused_at_its_start(bench: Bench) -> None:
    bench.engine = engine = Slow(bench.engine)
    engine.unmade = 2
    async with bench.running():
        bench.client.put(pod("web"))
        await bench.until(lambda: engine.unmade == 1)
        assert bench.events.texts("Failed") == []
        engine.go.set()
        await bench.until(lambda: bench.events.texts("Failed"))
        assert bench.events.texts("Failed") == ["Error: no space left"]
        await bench.until(lambda: bench.ready("web"))
