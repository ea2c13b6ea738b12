"""Publishers and load balancer addresses on a simulated engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model import kinds, objects
from minikctl.model.containers import Container
from minikctl.model.objects import Key
from minikctl.network import attach, publishers
from minikctl.network.outcomes import Outcomes
from minikctl.network.policies import PolicyBook
from minikctl.network.rulebook import RuleBook
from minikctl.network.sync import Books, Member, RuleSync
from minikctl.runtime.loop import ControlLoop
from tests.fakes.clock import FakeClock, settle
from tests.network.bench import SETTINGS, Surroundings, event_of
from tests.network.fakes import TableNetns
from tests.packets.tracer import Packet, Tracer
from tests.plan.proxy import cases

ALL = {"minikctl.dev/cluster": "test"}


def web(node_port: int = 30080, **spec: Any) -> Any:
    return cases.service("web", type="NodePort", ports=[{"port": 80, "nodePort": node_port}], **spec)


class World(Surroundings):
    """Surroundings with all that publishes Services."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.netns = TableNetns()

        async def discover() -> list[Member]:
            return await attach.members(self.engine, "test")

        books = Books(RuleBook(self.informers, SETTINGS), PolicyBook(self.informers))
        self.rules = RuleSync(self.netns, books, discover, self.clock)
        self.publishers = publishers.Publishers(self.tools, self.rules, SETTINGS, self.outcomes())
        self.balancers = publishers.LoadBalancers(self.tools, SETTINGS)
        piece = cases.endpoint_slice("web", "10.1.0.2")
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})

    def use(self, engine: FakeEngine) -> None:
        """Have another engine from now on."""
        self.engine = engine
        self.tools = dataclasses.replace(self.tools, engine=engine)
        self.publishers = publishers.Publishers(self.tools, self.rules, SETTINGS, self.outcomes())

    def outcomes(self) -> Outcomes:
        return Outcomes(self.client, self.events, (publishers.PART,))

    async def prepare(self) -> None:
        await self.engine.create_network("minikctl-test", "10.1.0.0/20", ALL)

    def all(self) -> Any:
        return self.running(
            self.rules.run(),
            self.publishers.follow(),
            self.publishers.watch(),
            ControlLoop(self.publishers, self.clock, backoff=publishers.backoff()).run(),
            ControlLoop(self.balancers, self.clock).run(),
        )

    async def published(self) -> list[tuple[str, int]]:
        found = await self.engine.list(ALL)
        ports = [port for one in found if one.status == "running" for port in one.ports]
        return sorted((port.host_ip, port.host_port) for port in ports)


async def test_a_node_port_is_published_and_forwarded() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
        assert await world.published() == [("127.0.0.1", 30080)]
        (one,) = await world.engine.list(ALL)
        fate = Tracer(world.netns.tables[one.id]).forward(Packet(one.ip, 80, source="10.1.0.1"))
        assert (fate.address, fate.port) == ("10.1.0.2", 8080)


async def test_a_publisher_that_is_taken_off_its_network_is_replaced_at_once() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
        (before,) = await world.engine.list(ALL)
        world.engine.disconnect(before.id)
        await world.turn(1)
        (after,) = await world.engine.list(ALL)
        assert (after.id != before.id, bool(after.ip)) == (True, True)
        assert await world.published() == [("127.0.0.1", 30080)]


async def test_ports_follow_the_service() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
        world.client.put(web(30081))
        await world.turn(1)
        assert await world.published() == [("127.0.0.1", 30081)]
        world.client.put(cases.service("web"))
        await world.turn(1)
        assert await world.engine.list(ALL) == []
        world.client.put(web())
        await world.turn(1)
        world.client.remove(kinds.SERVICE, "default", "web")
        await world.turn(1)
        assert await world.engine.list(ALL) == []


async def test_a_publisher_that_ends_is_replaced() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
        (before,) = await world.engine.list(ALL)
        world.engine.finish(before.id, 137)
        await world.turn(1)
        (after,) = await world.engine.list(ALL)
        assert after.id != before.id
        assert await world.published() == [("127.0.0.1", 30080)]


async def test_a_taken_port_is_told_and_tried_again_ever_more_rarely() -> None:
    world = World()
    await world.prepare()
    world.engine.fail("start", *(errors.PortTaken("port is already allocated") for _ in range(3)))
    world.client.put(web())
    async with world.all():
        await world.turn(0.5)
        assert world.events.reasons("web") == ["PublishFailed"]
        assert await world.engine.list(ALL) == []
        await world.turn(1)
        assert world.events.reasons("web") == ["PublishFailed"] * 2
        await world.turn(10)
        assert await world.published() == [("127.0.0.1", 30080)]
        assert world.events.reasons("web") == [*["PublishFailed"] * 3, "Published"]


async def test_what_an_earlier_control_plane_told_is_taken_back_once_it_is_so_no_more() -> None:
    world = World()
    await world.prepare()
    world.engine.fail("start", errors.PortTaken("port is already allocated"))
    world.client.put(web())
    async with world.running(ControlLoop(world.publishers, world.clock).run()):
        await world.turn(0)
    (failure,) = world.events.found
    world.client.put(event_of(failure))
    later = World(client=world.client, clock=world.clock)
    later.use(world.engine)
    async with later.all():
        await later.turn(1)
        assert await later.published() == [("127.0.0.1", 30080)]
        assert later.events.reasons("web") == ["Published"]
        later.client.put(web(sessionAffinity="ClientIP"))
        await later.turn(1)
        assert later.events.reasons("web") == ["Published"]


def mixed() -> Any:
    ports = [
        {"port": 53, "protocol": "UDP", "nodePort": 30053},
        {"port": 38, "protocol": "SCTP", "nodePort": 30038},
    ]
    return cases.service("web", type="NodePort", ports=ports)


async def test_where_sctp_cannot_be_published_the_other_ports_are() -> None:
    world = World()
    await world.prepare()
    words = "Error starting userland proxy: protocol not supported"
    world.engine.fail("start", errors.NoSctp(words, words))
    world.client.put(mixed())
    async with world.all():
        await world.turn(0.5)
        assert await world.published() == [("127.0.0.1", 30053)]
        assert world.events.reasons("web") == ["NotPublished"]
        assert len(await world.engine.list(ALL)) == 1
    later = World(client=world.client, clock=world.clock)
    later.use(world.engine)
    before = await world.engine.list(ALL)
    async with later.running(later.publishers.follow(), ControlLoop(later.publishers, later.clock).run()):
        await later.turn(1)
        assert [one.id for one in await later.engine.list(ALL)] == [one.id for one in before]
    last = World(client=world.client, clock=world.clock)
    last.use(world.engine)
    last.publishers = publishers.Publishers(last.tools, last.rules, SETTINGS, last.outcomes(), lambda: True)
    async with last.running(last.publishers.follow(), ControlLoop(last.publishers, last.clock).run()):
        await last.turn(1)
        assert await last.published() == [("127.0.0.1", 30038), ("127.0.0.1", 30053)]


async def test_a_failure_that_sctp_cannot_have_caused_is_told_as_it_is() -> None:
    world = World()
    await world.prepare()
    world.engine.fail("start", errors.NoSctp("protocol not supported"))
    world.client.put(web())
    async with world.all():
        await world.turn(0.5)
        assert world.events.reasons("web") == ["PublishFailed"]
        await world.turn(1)
        assert await world.published() == [("127.0.0.1", 30080)]


async def test_publishers_of_services_that_went_meanwhile_are_removed() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
    world.client.remove(kinds.SERVICE, "default", "web")
    later = World(client=world.client, clock=world.clock)
    later.use(world.engine)
    async with later.running(later.publishers.follow(), ControlLoop(later.publishers, later.clock).run()):
        await later.turn(1)
        assert await later.engine.list(ALL) == []


async def test_a_load_balancer_gets_an_address_and_is_published_there() -> None:
    world = World()
    await world.prepare()
    world.client.put(cases.service("web", type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}]))
    async with world.all():
        await world.turn(1)
        found = world.client.find(kinds.SERVICE, "default", "web")
        assert found is not None
        assert objects.status(found)["loadBalancer"]["ingress"] == [{"ip": "127.0.1.2", "ipMode": "VIP"}]
        assert await world.published() == [("127.0.0.1", 30080), ("127.0.1.2", 80)]
        assert "EnsuredLoadBalancer" in world.events.reasons("web")


class Ending(FakeEngine):
    """Has what was listed first end before the list is in."""

    doomed = False

    async def list(self, labels: Mapping[str, str]) -> list[Container]:
        found = await super().list(labels)
        if self.doomed:
            self.finish(found[0].id, 1)
        return found


async def test_a_publisher_that_ends_while_all_are_listed_is_heard_of() -> None:
    clock = FakeClock()
    engine = Ending(clock)
    world = World(clock=clock)
    world.use(engine)
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
    noticed = list[Key]()
    world.publishers.subscribe(noticed.append)
    noticed.clear()
    engine.doomed = True
    async with world.running(world.publishers.follow()):
        assert noticed == [("default", "web")] * 2


async def test_a_publisher_that_went_while_nobody_listened_is_replaced() -> None:
    world = World()
    await world.prepare()
    world.client.put(web())
    async with world.all():
        await world.turn(1)
        (before,) = await world.engine.list(ALL)
        world.engine.available = False
        await settle()
        world.engine.available = True
        await world.engine.remove(before.id)
        await world.turn(3)
        assert await world.published() == [("127.0.0.1", 30080)]


async def test_an_engine_that_goes_away_is_waited_for() -> None:
    world = World()
    await world.prepare()
    async with world.all():
        await world.turn(1)
        world.engine.available = False
        world.client.put(web())
        await world.turn(3)
        world.engine.available = True
        await world.turn(30)
        assert await world.published() == [("127.0.0.1", 30080)]


async def test_where_a_port_is_at_one_address_only_the_younger_service_gets_it_after_the_older() -> None:
    """As in a rootless engine, whose program for ports forgets the address on its way."""
    world = World()
    settings = dataclasses.replace(SETTINGS, shares_ports=True, lowest_port=1024)
    world.publishers = publishers.Publishers(world.tools, world.rules, settings, world.outcomes())
    await world.prepare()

    def balancer(name: str, day: int, *numbers: int) -> Any:
        ports = [{"name": f"p{number}", "port": number} for number in numbers]
        found = cases.service(name, type="LoadBalancer", ports=ports)
        found["metadata"] |= {"creationTimestamp": f"2026-01-0{day}T00:00:00Z", "uid": f"uid-of-{name}"}
        return found

    world.client.put(balancer("old", 1, 8080))
    world.client.put(balancer("new", 2, 8080, 80, 10080, 9090))
    async with world.all():
        await world.turn(1)
        first, second = await world.published()
        assert (first[1], second[1]) == (8080, 9090)
        world.client.remove(kinds.SERVICE, "default", "old")
        await world.turn(1)
        assert await world.published() == [(second[0], 8080), (second[0], 9090)]
