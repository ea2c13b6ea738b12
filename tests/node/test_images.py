"""Getting images with logins, together, and when the engine behaves oddly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from minikctl import errors
from minikctl.drivers.engine import ContainerSpec
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.pull_meter import Watch
from minikctl.model.actions.node import EnsureImage, PullPolicy
from minikctl.model.containers import PullProgress
from minikctl.node.failures import NodeFailure
from minikctl.node.images import Images
from minikctl.plan.pod.accounts import Accounts
from minikctl.runtime.tasks import Tasks
from tests.fakes.clock import FakeClock


class Registry(FakeEngine):
    """Lets in who has the right login; ``forgets``: what was pulled is not there then."""

    def __init__(
        self, clock: FakeClock, *, password: str = "", forgets: bool = False, hangs: bool = False
    ) -> None:
        super().__init__(clock)
        self.password = password
        self.forgets = forgets
        self.hangs = hangs
        self.pulls: list[str] = []

    async def pull(
        self, reference: str, auth: Mapping[str, str] | None = None, watch: Watch | None = None
    ) -> None:
        given = (auth or {}).get("password", "")
        self.pulls.append(given)
        if watch is not None:
            watch(PullProgress(7, 3, 45_200_000, 120_000_000))
        await (asyncio.Event().wait() if self.hangs else asyncio.sleep(0))
        if given != self.password:
            raise errors.ImageMissing("denied")
        if not self.forgets:
            await super().pull(reference)


def wanted(*passwords: str) -> EnsureImage:
    auths = tuple({"password": password} for password in passwords)
    return EnsureImage("app", "remote/x:1", "IfNotPresent", auths)


async def ensure(engine: Registry, *actions: EnsureImage) -> list[str]:
    told: list[str] = []
    tasks = Tasks()
    images = Images(engine, FakeClock(), tasks, "test")
    try:
        await asyncio.gather(*(images.ensure(each, lambda *event: told.append(event[2])) for each in actions))
    finally:
        await tasks.idle()
    return told


async def test_logins_are_tried_in_order_and_then_none() -> None:
    engine = Registry(FakeClock(), password="right")
    await ensure(engine, wanted("wrong", "right", "unused"))
    assert engine.pulls == ["wrong", "right"]
    open_to_all = Registry(FakeClock())
    await ensure(open_to_all, wanted("wrong"))
    assert open_to_all.pulls == ["wrong", ""]


async def test_one_pull_serves_all_who_wait() -> None:
    engine = Registry(FakeClock())
    told = await ensure(engine, wanted(), wanted(), wanted())
    assert engine.pulls == [""]
    assert told.count('Pulling image "remote/x:1"') == 3


async def test_a_failed_pull_fails_for_all_who_wait() -> None:
    engine = Registry(FakeClock(), password="right")
    with pytest.raises(NodeFailure, match="denied"):
        await ensure(engine, wanted(), wanted())


@pytest.mark.parametrize("policy", ["Never", "IfNotPresent"])
async def test_a_local_image_of_a_similar_name_is_hinted_at(policy: PullPolicy) -> None:
    engine = Registry(FakeClock(), password="right")
    await engine.image("remotely/x:2")
    with pytest.raises(NodeFailure, match=r"; hint: did you mean remotely/x:2, which is on this machine\?$"):
        await ensure(engine, EnsureImage("app", "remote/x:1", policy))


async def test_an_image_that_does_not_arrive_is_a_failure() -> None:
    engine = Registry(FakeClock(), forgets=True)
    with pytest.raises(NodeFailure, match="the engine pulled remote/x:1 but does not have it"):
        await ensure(engine, wanted())


async def test_a_pull_that_is_cut_off_wakes_who_wait() -> None:
    engine = Registry(FakeClock(), hangs=True)
    tasks = Tasks()
    images = Images(engine, FakeClock(), tasks, "test")
    waiting = asyncio.create_task(images.ensure(wanted(), lambda *_: None))
    while not engine.pulls:
        await asyncio.sleep(0)
    await tasks.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_pull_that_takes_long_says_how_far_it_is() -> None:
    clock, tasks = FakeClock(), Tasks()
    engine = Registry(clock, hangs=True)
    images = Images(engine, clock, tasks, "test")
    told: list[str] = []
    waiting = asyncio.create_task(images.ensure(wanted(), lambda *event: told.append(event[2])))
    while not engine.pulls:
        await asyncio.sleep(0)
    await clock.advance(9)
    assert len(told) == 1
    await clock.advance(62)
    how_far = 'Pulling image "remote/x:1": 3 of 7 layers, 45.2 of 120.0 MB after '
    assert told[1:] == [f"{how_far}10s", f"{how_far}30s", f"{how_far}70s"]
    await tasks.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_users_and_groups_of_an_image_are_read_once() -> None:
    engine, tasks = Registry(FakeClock()), Tasks()
    images = Images(engine, FakeClock(), tasks, "test")
    created: list[str] = []
    create = engine.create

    async def note(spec: ContainerSpec) -> str:
        created.append(spec.name)
        made = await create(spec)
        engine.files(made)["/etc/passwd"] = b"bob:x:5:6::/:/bin/sh\n"
        return made

    engine.create = note  # type: ignore[method-assign]
    first, second = await asyncio.gather(
        *(images.ensure(EnsureImage(name, "remote/x:1", "IfNotPresent"), lambda *_: None) for name in "ab")
    )
    assert first.accounts is not None
    assert first.accounts.identity("bob") == (5, 6, ())
    assert second.accounts is first.accounts
    assert len(created) == 1
    assert await engine.list({}) == []


async def test_users_that_cannot_be_read_are_read_the_next_time() -> None:
    engine, tasks = Registry(FakeClock()), Tasks()
    images = Images(engine, FakeClock(), tasks, "test")
    action = EnsureImage("app", "demo:1", "IfNotPresent")
    engine.fail("get_archive", errors.DriverError("disk error", "disk error"))
    assert (await images.ensure(action, lambda *_: None)).accounts is None
    assert (await images.ensure(action, lambda *_: None)).accounts == Accounts()
    engine.fail("create", errors.EngineUnavailable("gone"))
    other = EnsureImage("app", "remote/x:1", "IfNotPresent")
    with pytest.raises(errors.EngineUnavailable):
        await images.ensure(other, lambda *_: None)
