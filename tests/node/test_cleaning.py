"""Removal from inside a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

from minikctl.drivers.fake_engine import FakeEngine
from minikctl.node import cleaning
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock
from tests.node.harness import node_info


async def test_a_container_removes_what_this_process_may_not(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    work = asyncio.create_task(
        cleaning.remove_as_root(engine, node_info("test", tmp_path), "/state/pods/uid-1", clock)
    )
    while not (found := await engine.list({names.CLUSTER: "test"})):
        await asyncio.sleep(0)
    spec = engine.spec(found[0].id)
    assert spec.entrypoint == ("/bin/rm", "-rf", "/pods/uid-1")
    assert [(mount.source, mount.target) for mount in spec.mounts] == [("/state/pods", "/pods")]
    await clock.advance(1)
    await work
    assert await engine.list({}) == []
    await engine.close()
