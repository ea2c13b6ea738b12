from __future__ import annotations

import asyncio
from datetime import timedelta

from minikctl.drivers.engine import ContainerSpec
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.usage import Usage
from minikctl.node.meter import Meter, Samples
from minikctl.plan.pod import names
from tests.fakes.clock import FakeClock, settle


class Busy:
    """Containers that keep half a CPU busy; counts how often it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.begun = clock.now()
        self.asked = 0

    async def usage(self, container_id: str) -> Usage | None:
        """Return half of the time that has passed."""
        self.asked += 1
        return Usage((self.clock.now() - self.begun).total_seconds() / 2, 7 << 20, self.clock.now())


async def running(engine: FakeEngine, name: str, role: str = names.APP_ROLE) -> None:
    """Have a container of a pod run."""
    labels = {names.CLUSTER: "c", names.ROLE: role, names.POD_UID: "pod", names.CONTAINER: name}
    made = await engine.create(ContainerSpec(name=name, image="minikctl-infra:latest", labels=labels))
    await engine.start(made)


async def asked(meter: Meter, clock: FakeClock, seconds: float = 1.0) -> Samples:
    """Return what is measured while the clock goes on."""
    answer = asyncio.ensure_future(meter.measure())
    await settle(20)
    await clock.advance(seconds)
    return await answer


async def test_the_first_to_ask_waits_for_a_second_look_and_the_next_do_not() -> None:
    clock = FakeClock()
    engine, busy = FakeEngine(clock), Busy(clock)
    await running(engine, "main")
    await running(engine, "pause", names.PAUSE_ROLE)
    meter = Meter(engine, busy, "c", clock)

    first = (await asked(meter, clock))["pod"]["main"]
    assert (first.cpus, first.memory_bytes, first.window_seconds) == (0.5, 7 << 20, 1.0)
    assert busy.asked == 2
    assert (await meter.measure())["pod"]["main"] == first, "it is fresh"
    assert busy.asked == 2

    await clock.advance(30)
    assert busy.asked == 2, "nobody asked"
    later = (await meter.measure())["pod"]["main"]
    assert (later.cpus, later.window_seconds, later.at - first.at) == (0.5, 30.0, timedelta(seconds=30))
    await engine.close()


async def test_a_new_container_is_looked_at_twice() -> None:
    clock = FakeClock()
    engine, busy = FakeEngine(clock), Busy(clock)
    await running(engine, "main")
    meter = Meter(engine, busy, "c", clock)
    await asked(meter, clock)
    await clock.advance(10)
    await running(engine, "side")
    found = (await asked(meter, clock))["pod"]
    assert (found["main"].window_seconds, found["side"].window_seconds) == (11.0, 1.0)
    await engine.close()
