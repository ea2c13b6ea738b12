"""What only root may do, done by a container."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import ContainerSpec
from minikctl.node import by_root
from minikctl.node.files import Gift, Missing
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock, settle


def by(engine: FakeEngine, clock: FakeClock) -> by_root.ByRoot:
    return by_root.ByRoot(engine, "test", "minikctl-infra:latest", clock)


async def test_a_container_removes_what_this_process_may_not() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    work = asyncio.create_task(by(engine, clock).remove("/state/pods/uid-1"))
    while not (found := await engine.list({names.CLUSTER: "test"})):
        await asyncio.sleep(0)
    spec = engine.spec(found[0].id)
    assert spec.entrypoint == ("/bin/rm", "-rf", f"{by_root.PLACE}/uid-1")
    assert [(mount.source, mount.target) for mount in spec.mounts] == [("/state/pods", by_root.PLACE)]
    await clock.advance(1)
    await work
    assert await engine.list({}) == []
    await engine.close()


async def test_what_an_earlier_control_plane_left_is_no_obstacle() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    labels = {names.CLUSTER: "test", names.ROLE: by_root.ROLE}
    await engine.create(ContainerSpec("mk_test_cleaner_uid-1", "minikctl-infra", labels))
    work = asyncio.create_task(by(engine, clock).remove("/state/pods/uid-1"))
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


async def test_what_cannot_be_removed_is_told() -> None:
    engine = Stubborn(FakeClock())
    with pytest.raises(errors.DriverError, match="/state/pods/uid-1 cannot be removed"):
        await by(engine, FakeClock()).remove("/state/pods/uid-1")
    assert await engine.list({}) == []
    await engine.close()


async def test_what_is_given_is_given_by_a_container_that_sees_nothing_else() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    gifts = [Gift("/state/v/it's", 7, 8, 0o440), Gift("/state/v", None, 9, None)]
    work = asyncio.create_task(by(engine, clock).settle("/state/v", gifts))
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


async def test_a_directory_of_the_host_that_only_root_may_make_is_made_below_what_there_is(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    engine = FakeEngine(clock)
    path = str(tmp_path / "a" / "b")
    work = asyncio.create_task(by(engine, clock).settle(path, [Missing(path)]))
    await settle()
    found = await engine.list({names.CLUSTER: "test"})
    spec = engine.spec(found[0].id)
    assert [(mount.source, mount.target) for mount in spec.mounts] == [(str(tmp_path), by_root.PLACE)]
    assert spec.entrypoint == ("/bin/mkdir", "-p", f"{by_root.PLACE}/a/b")
    engine.finish(found[0].id, 0)
    await clock.advance(1)
    await work
    await engine.close()


class Kept(FakeEngine):
    """Keeps what containers were made of."""

    made: ContainerSpec

    async def create(self, spec: ContainerSpec) -> str:
        self.made = spec
        return await super().create(spec)


async def test_what_only_root_can_see_is_looked_at_by_root(tmp_path: Path) -> None:
    clock = FakeClock()
    engine = Kept(clock)
    path = str(tmp_path / "closed" / "in it")
    work = asyncio.create_task(by(engine, clock).settle(path, [Missing(path, "Directory")]))
    await settle()
    await clock.advance(1)
    await work
    assert [(one.source, one.target) for one in engine.made.mounts] == [(str(tmp_path), by_root.PLACE)]
    assert engine.made.entrypoint == ("/bin/sh", "-c", f"test -d '{by_root.PLACE}/closed/in it'")
    await engine.close()


async def test_what_root_finds_to_be_something_else_is_told_as_a_kubelet_does() -> None:
    engine = Stubborn(FakeClock())
    words = "hostPath type check failed: /state/v is not a socket file"
    with pytest.raises(errors.DriverError, match=words):
        await by(engine, FakeClock()).settle("/state/v", [Missing("/state/v", "Socket")])
    await engine.close()


async def test_what_cannot_be_given_is_told() -> None:
    engine = Stubborn(FakeClock())
    with pytest.raises(errors.DriverError, match="/state/v cannot be given"):
        await by(engine, FakeClock()).settle("/state/v", [Gift("/state/v", None, 9, 0o2777)])
    await by(engine, FakeClock()).settle("/state/v", [])
    assert await engine.list({}) == []
    await engine.close()
