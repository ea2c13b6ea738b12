"""Removal from inside a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import ContainerSpec
from minikctl.node import cleaning
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock, settle
from tests.node.harness import Bench, node_info


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


async def test_what_an_earlier_control_plane_left_is_no_obstacle(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    labels = {names.CLUSTER: "test", names.ROLE: cleaning.ROLE}
    await engine.create(ContainerSpec("mk_test_cleaner_uid-1", "minikctl-infra", labels))
    work = asyncio.create_task(
        cleaning.remove_as_root(engine, node_info("test", tmp_path), "/state/pods/uid-1", clock)
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
        await cleaning.remove_as_root(engine, node, "/state/pods/uid-1", FakeClock())
    assert await engine.list({}) == []
    await engine.close()


async def test_who_held_an_image_for_a_control_plane_that_ended_is_swept_away() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    labels = {names.CLUSTER: "test", names.ROLE: cleaning.IMAGE_ROLE}
    old = await engine.create(ContainerSpec("mk_test_image_1", "minikctl-infra", labels))
    app = await engine.create(ContainerSpec("mk_test_app", "minikctl-infra", {names.ROLE: "app"}))
    await clock.advance(cleaning.LEFT_SECONDS + 1)
    fresh = await engine.create(ContainerSpec("mk_test_image_2", "minikctl-infra", labels))
    engine.fail("remove", errors.DriverError("busy"))
    await cleaning.sweep(engine, await engine.list({}), None, clock.now())
    assert {found.id for found in await engine.list({})} == {app, fresh} != {old}
    engine.fail("remove", errors.DriverError("busy"), errors.DriverError("busy"))
    await cleaning.discard(engine, fresh)
    assert len(await engine.list({})) == 2
    await cleaning.sweep(engine, await engine.list({}), clock.now(), clock.now())
    assert len(await engine.list({})) == 2
    await clock.advance(1)
    await cleaning.sweep(engine, await engine.list({}), clock.now(), clock.now())
    assert [found.id for found in await engine.list({})] == [app]
    await engine.close()


async def test_the_node_sweeps_whenever_it_lists(bench: Bench) -> None:
    labels = {names.CLUSTER: "test", names.ROLE: cleaning.IMAGE_ROLE}
    await bench.engine.create(ContainerSpec("mk_test_image_1", "demo:1", labels))
    async with bench.running():
        await bench.clock.advance(30)
        assert len(await bench.containers()) == 1
        # Lists wait for threads, too, that look for lost files: each gets its time.
        await bench.until(lambda: not bench.engine._boxes, advance=20)
