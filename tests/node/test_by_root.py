"""What only root may do, done by a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import ContainerSpec
from minikctl.node import by_root
from minikctl.node.files import Gift
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock, settle
from tests.node.harness import node_info


async def test_a_container_removes_what_this_process_may_not(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    work = asyncio.create_task(
        by_root.remove(engine, node_info("test", tmp_path), "/state/pods/uid-1", clock)
    )
    while not (found := await engine.list({names.CLUSTER: "test"})):
        await asyncio.sleep(0)
    spec = engine.spec(found[0].id)
    assert spec.entrypoint == ("/bin/rm", "-rf", f"{by_root.PLACE}/uid-1")
    assert [(mount.source, mount.target) for mount in spec.mounts] == [("/state/pods", by_root.PLACE)]
    await clock.advance(1)
    await work
    assert await engine.list({}) == []
    await engine.close()


async def test_what_an_earlier_control_plane_left_is_no_obstacle(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    labels = {names.CLUSTER: "test", names.ROLE: by_root.ROLE}
    await engine.create(ContainerSpec("mk_test_cleaner_uid-1", "minikctl-infra", labels))
    work = asyncio.create_task(
        by_root.remove(engine, node_info("test", tmp_path), "/state/pods/uid-1", clock)
    )
    await settle()
    await clock.advance(1)
    await work
    assert await engine.list({}) == []
    await engine.close()


class Stubborn(FakeEngine):
    """Has files that even root cannot remove."""

    async def start(self, container_id: str) -> None:
        await super().start(container_id)
        self.finish(container_id, 1)


async def test_what_cannot_be_removed_is_told(tmp_path: Path) -> None:
    engine = Stubborn(FakeClock())
    node = node_info("test", tmp_path)
    with pytest.raises(errors.DriverError, match="/state/pods/uid-1 cannot be removed"):
        await by_root.remove(engine, node, "/state/pods/uid-1", FakeClock())
    assert await engine.list({}) == []
    await engine.close()


async def test_what_is_given_is_given_by_a_container_that_sees_nothing_else(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    gifts = [Gift("/state/v/it's", 7, 8, 0o440), Gift("/state/v", None, 9, None)]
    work = asyncio.create_task(by_root.give(engine, node_info("test", tmp_path), "/state/v", gifts, clock))
    await settle()
    found = await engine.list({names.CLUSTER: "test"})
    spec = engine.spec(found[0].id)
    assert [(mount.source, mount.target) for mount in spec.mounts] == [("/state/v", by_root.PLACE)]
    assert spec.network == "none"
    assert spec.entrypoint[-1].startswith(
        f"cd {by_root.PLACE} && chown -h 7:8 './it'\"'\"'s' && chmod 440 './it'\"'\"'s' && chown -hR :9 ./. && "
    )
    engine.finish(found[0].id, 0)
    await clock.advance(1)
    await work
    assert await engine.list({}) == []
    await engine.close()


async def test_what_cannot_be_given_is_told(tmp_path: Path) -> None:
    engine = Stubborn(FakeClock())
    node = node_info("test", tmp_path)
    with pytest.raises(errors.DriverError, match="/state/v cannot be given"):
        await by_root.give(engine, node, "/state/v", [Gift("/state/v", None, 9, 0o2777)], FakeClock())
    await by_root.give(engine, node, "/state/v", [], FakeClock())
    assert await engine.list({}) == []
    await engine.close()
