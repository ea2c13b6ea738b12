"""Following the engine: what is heard, listed and looked at, and which of these is newer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import Container
from minikctl.node import observe
from minikctl.plan.pod import names
from minikctl.runtime.tasks import Tasks
from tests.fakes.clock import FakeClock, settle
from tests.node.harness import Bench, container, node_info, pod

FOREVER = ("sleep", "infinity")


class HeldEngine(FakeEngine):
    """Lets questions of some kinds wait, and counts the lists."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.gates: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []

    def hold(self, method: str) -> asyncio.Event:
        """Let calls of the method wait until the event is set."""
        return self.gates.setdefault(method, asyncio.Event())

    async def _held(self, method: str) -> None:
        self.asked.append(method)
        if method in self.gates:
            await self.gates[method].wait()

    async def _enter(self, method: str) -> None:
        if method == "list":
            self.asked.append(method)
        await super()._enter(method)

    async def inspect(self, container_id: str) -> Container | None:
        await self._held("inspect")
        return await super().inspect(container_id)

    async def logs(self, container_id: str, options: engines.LogOptions) -> AsyncIterator[bytes]:
        await self._held("logs")
        async for chunk in super().logs(container_id, options):
            yield chunk


@dataclass
class Heard:
    """A follower that keeps what it is told; it takes lists only when ``takes`` is set."""

    changed: list[Container] = field(default_factory=list)
    touched: list[Set[str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    takes: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_changed(self, container: Container) -> None:
        self.changed.append(container)

    async def on_listed(self, uid: str, containers: Sequence[Container], touched: Set[str]) -> None:
        self.touched.append(touched)
        await self.takes.wait()

    def follower(self) -> observe.Follower:
        return observe.Follower(
            self.on_changed, self.said.append, self.on_listed, self.said.append, self.expects, self.left
        )

    def left(self, container_id: str) -> bool:
        self.said.append(f"left {container_id}")
        return False

    def expects(self, event: engines.EngineEvent) -> bool:
        self.said.append(event.action)
        return False


@dataclass
class Watched:
    """A watch on an engine with one container of a pod."""

    engine: HeldEngine
    clock: FakeClock
    heard: Heard
    watch: observe.EngineWatch
    container: str


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    clock, heard, background = FakeClock(), Heard(), Tasks()
    engine = HeldEngine(clock)
    labels = {names.CLUSTER: "test", names.ROLE: names.APP_ROLE, names.POD_UID: "uid"}
    made = await engine.create(
        engines.ContainerSpec(name="mk_test", image="demo:1", labels=labels, command=FOREVER)
    )
    await engine.start(made)
    watch = observe.EngineWatch(engine, node_info("test", Path()), clock, background, heard.follower())
    following = asyncio.create_task(watch.run())
    await settle()
    try:
        yield Watched(engine, clock, heard, watch, made)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await background.close()
        await engine.close()


async def test_what_changes_while_a_list_is_taken_is_told_to_the_taker() -> None:
    async with watched() as it:
        assert it.heard.touched == [set()]
        it.engine.finish(it.container, 1)
        await settle()
        assert it.heard.touched == [{it.container}]


async def test_who_waits_for_another_s_look_that_fails_looks_again() -> None:
    async with watched() as it:
        it.heard.takes.set()
        gate = it.engine.hold("inspect")
        first = asyncio.create_task(it.watch.refresh(it.container))
        await settle()
        second = asyncio.create_task(it.watch.refresh(it.container))
        await settle()
        it.engine.fail("inspect", errors.DriverError("not now"))
        gate.set()
        with pytest.raises(errors.DriverError):
            await first
        await second
        assert [each.id for each in it.heard.changed] == [it.container]


async def test_after_a_look_that_failed_all_are_listed_soon() -> None:
    async with watched() as it:
        it.heard.takes.set()
        await it.clock.advance(observe.FIRST_RELIST_SECONDS)
        assert it.engine.asked.count("list") == 2
        it.engine.fail("inspect", errors.DriverError("not now"))
        it.engine.finish(it.container, 1)
        await settle()
        assert it.heard.changed == []
        await it.clock.advance(observe.RETRY_SECONDS)
        assert it.engine.asked.count("list") == 3


async def test_a_list_that_is_refused_is_asked_for_again_soon() -> None:
    async with watched() as it:
        it.heard.takes.set()
        await it.clock.advance(observe.FIRST_RELIST_SECONDS)
        await settle()
        it.engine.fail("list", errors.DriverError("not now"))
        await it.clock.advance(observe.RELIST_SECONDS)
        asked = it.engine.asked.count("list")
        await it.clock.advance(observe.RETRY_SECONDS)
        assert it.engine.asked.count("list") == asked + 1


async def test_a_list_does_not_take_back_what_was_heard_while_it_was_taken(bench: Bench) -> None:
    engine = bench.engine = HeldEngine(bench.clock)
    await engine.create_network("minikctl-test", "10.201.0.0/24", {})
    said = container("said", "sh", "-c", "sleep 5; exit 4", terminationMessagePolicy="FallbackToLogsOnError")
    async with bench.running():
        bench.client.put(pod("job", said, restartPolicy="Never"))
        await bench.until(lambda: bench.container("job", "said").get("state", {}).get("running"))
        bench.client.put(pod("web", restartPolicy="Never"))
        await bench.until(lambda: bench.ready("web"))
        (app,) = [each for each in await bench.containers() if each.labels.get(names.CONTAINER) == "app"]
    await bench.clock.advance(6)
    gate = engine.hold("logs")
    async with bench.running() as agent:
        # The list is being taken: the last words of the job are read before the web server's turn comes.
        await bench.until(lambda: "logs" in engine.asked)
        engine.finish(app.id, 1)
        await settle()
        gate.set()

        def statuses() -> list[str]:
            known = [each for found in agent._records.values() for each in found.containers.values()]
            return [each.status for each in known if each.id == app.id]

        await bench.until(lambda: bool(statuses()))
        assert statuses() == ["exited"]
    await engine.close()


async def test_a_container_that_goes_while_its_last_words_are_read_stays_gone(bench: Bench) -> None:
    engine = bench.engine = HeldEngine(bench.clock)
    await engine.create_network("minikctl-test", "10.201.0.0/24", {})
    said = container("said", "sh", "-c", "sleep 5; exit 4", terminationMessagePolicy="FallbackToLogsOnError")
    async with bench.running() as agent:
        bench.client.put(pod("job", said, restartPolicy="Never"))
        await bench.until(lambda: bench.container("job", "said").get("state", {}).get("running"))
        (app,) = await bench.containers(names.APP_ROLE)
        gate = engine.hold("logs")
        engine.finish(app.id, 4)
        await bench.until(lambda: "logs" in engine.asked)
        await engine.remove(app.id)
        await settle()
        gate.set()
        await settle()
        assert all(app.id not in found.containers for found in agent._records.values())
    await engine.close()
