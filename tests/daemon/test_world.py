"""What the node's condition tells while its engine is not ready yet."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from minikctl import errors
from minikctl.client import launcher
from minikctl.client.home import ClusterHome
from minikctl.client.informer import Informers
from minikctl.client.settings import ClusterSettings
from minikctl.daemon.core import Core
from minikctl.daemon.runtimes import Runtime
from minikctl.daemon.world import UNANSWERED, World
from minikctl.drivers.engine import EngineInfo
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.routes import NoRoutes
from minikctl.model import kinds
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle


def core_of(**parts: Any) -> Core:
    """Return a core that has these parts, informers, and nothing else."""
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(Core))
    return Core(**{**nothing, "informers": Informers(FakeClient()), **parts})


class Failing(World):
    """Subscribes to pods, and fails."""

    async def _run(self, core: Core) -> None:
        core.informers.of(kinds.POD).subscribe(lambda _old, _new: None)
        raise RuntimeError("it broke")


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
    core = core_of(settings=settings, home=ClusterHome("lab", str(tmp_path)), clock=clock)
    runtime: Any = SimpleNamespace(
        engine=engine, infra_image=image, routes=NoRoutes(), relay=lambda _: None, dialer=lambda _: None
    )
    world = World(core, cast("Runtime", runtime))
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


async def test_a_node_that_starts_again_leaves_no_subscribers_behind() -> None:
    clock = FakeClock()
    core = core_of(clock=clock, settings=ClusterSettings(name="lab"))
    runtime: Any = SimpleNamespace(engine=FakeEngine(clock), relay=lambda _: None, dialer=lambda _: None)
    world = Failing(core, cast("Runtime", runtime))
    failures: list[str] = []
    world.subscribe(lambda: failures.append(world.problem))
    pods = core.informers.of(kinds.POD)
    pods.subscribe(lambda _old, _new: None)
    work = asyncio.create_task(world.run())
    try:
        for _ in range(3):
            await clock.advance(60)
        assert failures == ["the node failed: it broke"]
        assert pods.subscribers == 1
    finally:
        work.cancel()
