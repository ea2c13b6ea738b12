"""Containers that only held an image are removed."""

from __future__ import annotations

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import ContainerSpec
from minikctl.node import cleaning
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock
from tests.node.harness import Bench


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
