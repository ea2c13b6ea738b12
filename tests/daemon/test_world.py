"""What the node's condition tells while its engine is not ready yet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from minikctl import errors
from minikctl.client import launcher
from minikctl.client.settings import ClusterSettings
from minikctl.daemon.core import Core
from minikctl.daemon.runtimes import Runtime
from minikctl.daemon.world import UNANSWERED, World
from minikctl.drivers.engine import EngineInfo
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.routes import NoRoutes
from tests.fakes.clock import FakeClock, settle


class Starting(FakeEngine):
    """Does not answer while ``down`` says why."""

    down = ""

    async def info(self) -> EngineInfo:
        if self.down:
            raise errors.EngineUnavailable(self.down)
        return await super().info()


async def test_that_preparing_goes_on_is_told_also_after_the_engine_was_away(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = Starting(clock)
    engine.down = "cannot connect"

    async def image() -> str:
        if engine.down == "":
            await asyncio.Event().wait()
        raise AssertionError("the engine does not answer")

    settings = ClusterSettings(name="lab")
    core = SimpleNamespace(settings=settings, home=SimpleNamespace(path=str(tmp_path)), clock=clock)
    runtime: Any = SimpleNamespace(
        engine=engine, infra_image=image, routes=NoRoutes(), relay=lambda _: SimpleNamespace()
    )
    world = World(cast("Core", core), cast("Runtime", runtime))
    told: list[str] = []
    world.subscribe(lambda: told.append(world.problem))
    assert world.problem == UNANSWERED
    work = asyncio.create_task(world.run())
    try:
        await settle()
        assert "cannot connect" in world.problem
        engine.down = ""
        await clock.advance(1)
        await settle()
        assert launcher.PREPARING in world.problem
        assert len(told) == 2
    finally:
        work.cancel()
