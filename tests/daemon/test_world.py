"""The part of the control plane that needs an engine, on a simulated one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from minikctl.apiserver import bootstrap, pki
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import plane, runtimes, world
from minikctl.drivers.fake_netns import FakeNetns


class Failing(FakeNetns):
    """Fails in a way that nobody expects, and counts how often it was let go."""

    closed = 0

    async def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        raise ValueError("nobody expects this")
        yield "", ""

    async def close(self) -> None:
        Failing.closed += 1


async def test_a_node_that_failed_lets_go_of_its_agent_and_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "RETRY_SECONDS", 0.01)
    home = ClusterHome("lab", str(tmp_path))
    settings = home.save(ClusterSettings("lab", runtime="sim", egress=False))
    async with plane.opened(home, settings, pki.ensure(home, settings)) as (_, core):
        await bootstrap.bootstrap(core.registry)
        runtime = replace(runtimes.build(settings, core.clock), netns=lambda _: Failing())
        found = world.World(core, runtime)
        told: list[str] = []
        found.subscribe(lambda: told.append(found.problem))
        working = [asyncio.create_task(each) for each in (core.informers.run(), found.run())]
        async with asyncio.timeout(10):
            while Failing.closed < 2 or "the node failed: nobody expects this" not in told:
                await asyncio.sleep(0.01)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await found.close()
