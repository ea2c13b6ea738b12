"""Rules of many namespaces: on attachment, on changes, after failures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio

from minikctl import errors
from minikctl.client.informer import Informers
from minikctl.drivers.netns import Writing
from minikctl.model import kinds
from minikctl.model.objects import Key
from minikctl.network.policies import PolicyBook
from minikctl.network.rulebook import RuleBook
from minikctl.network.sync import (
    ATTACH_SECONDS,
    REST_SECONDS,
    RESYNC_SECONDS,
    Books,
    Member,
    RuleSync,
)
from minikctl.plan.proxy import Ruleset
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle
from tests.network.bench import SETTINGS
from tests.network.fakes import TableNetns
from tests.packets.tracer import Packet, Tracer
from tests.plan.proxy import cases

POD = Member("pod-1", 101, "10.1.0.9", pod=("default", "one"))
OTHER = Member("pod-2", 102, "10.1.0.8", pod=("default", "two"))
VIP = Packet("10.96.0.20", 80)


class AskedBook(PolicyBook):
    """Keeps for which pods it is asked."""

    def __init__(self, informers: Informers) -> None:
        super().__init__(informers)
        self.asked: list[Key] = []

    def table(self, pod: Key) -> Ruleset | None:
        self.asked.append(pod)
        return super().table(pod)


@dataclass
class World:
    """All that the rules depend on."""

    client: FakeClient
    clock: FakeClock
    netns: TableNetns
    sync: RuleSync
    policies: AskedBook
    present: list[Member] = field(default_factory=list)
    slow: asyncio.Event | None = None

    def serve(self, name: str, *addresses: Any, **spec: Any) -> None:
        self.client.put({**cases.service(name, **spec)})
        piece = cases.endpoint_slice(name, *addresses)
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})

    def fate(self, member: Member = POD, packet: Packet = VIP) -> str:
        found = Tracer(self.netns.tables[member.container_id]).send(packet)
        return found.address if found.verdict == "sent" else found.verdict


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    client, clock, netns = FakeClient(), FakeClock(), TableNetns()
    client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}, "status": node("10.1.0.1")})
    informers = Informers(client)
    present: list[Member] = []

    async def discover() -> list[Member]:
        if found.slow:
            await found.slow.wait()
        return list(present)

    policies = AskedBook(informers)
    books = Books(RuleBook(informers, SETTINGS), policies)
    sync = RuleSync(netns, books, discover, clock)
    found = World(client, clock, netns, sync, policies, present)
    found.serve("web", "10.1.0.2")
    work = [asyncio.create_task(informers.run()), asyncio.create_task(sync.run())]
    await settle()
    yield found
    for task in work:
        task.cancel()
    for task in work:
        with contextlib.suppress(asyncio.CancelledError):
            await task


def node(*addresses: str) -> Any:
    return {"addresses": [{"type": "InternalIP", "address": one} for one in (*addresses, "::1")]}


async def attached(world: World, *members: Member) -> None:
    world.present += members
    await asyncio.gather(*(world.sync.attach(member) for member in members))


async def test_attaching_returns_with_routes_and_rules_in_place(world: World) -> None:
    await attached(world, POD)
    assert world.fate() == "10.1.0.2"
    assert ("ip", "route", "replace", "10.96.0.0/16", "dev", "eth0", "scope", "link", "src", "10.1.0.9") in (
        world.netns.commands["pod-1"]
    )


async def test_rules_are_those_of_the_pods_own_node(world: World) -> None:
    def placed(name: str, node: str) -> Any:
        metadata = {"namespace": "default", "name": name}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}}

    def zoned(name: str, zone: str) -> Any:
        metadata = {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": node("10.1.0.1")}

    for each in (placed("one", "here"), placed("two", "there"), zoned("here", "a"), zoned("there", "b")):
        world.client.put(each)
    await attached(world, POD, OTHER)
    far = cases.endpoint("10.1.0.3", node="there")
    world.serve("web", cases.endpoint("10.1.0.2"), far, internalTrafficPolicy="Local")
    await world.clock.advance(1)
    assert (world.fate(POD), world.fate(OTHER)) == ("10.1.0.2", "10.1.0.3")
    hints = [{"hints": {"forZones": [{"name": zone}]}} for zone in ("a", "b")]
    world.serve("web", {**cases.endpoint("10.1.0.2"), **hints[0]}, {**far, **hints[1]})
    await world.clock.advance(1)
    assert (world.fate(POD), world.fate(OTHER)) == ("10.1.0.2", "10.1.0.3")
    world.client.put(zoned("there", "a"))
    await world.clock.advance(1)
    assert world.fate(OTHER) == "10.1.0.2"


async def test_attaching_again_does_nothing(world: World) -> None:
    await attached(world, POD)
    count = len(world.netns.batches)
    await world.sync.attach(POD)
    assert len(world.netns.batches) == count


async def test_many_that_are_attached_at_once_are_one_batch(world: World) -> None:
    await attached(world, *(Member(f"pod-{n}", n, f"10.1.0.{n}") for n in range(10, 30)))
    assert [len(batch) for batch in world.netns.batches] == [20]


async def test_a_change_reaches_every_namespace_within_milliseconds_and_once(world: World) -> None:
    await attached(world, POD, OTHER)
    world.netns.batches.clear()
    for last in range(3, 8):
        world.serve("web", f"10.1.0.{last}")
    await settle()
    await world.clock.advance(0.02)
    assert world.fate(POD) == world.fate(OTHER) == "10.1.0.7"
    assert [len(batch) for batch in world.netns.batches] == [2]
    assert all("delete table" not in change.ruleset for change in world.netns.batches[0])


async def test_a_pod_that_ends_is_withdrawn_once_no_rules_lead_to_it(world: World) -> None:
    def ends(address: str, *, terminating: bool) -> Any:
        found = cases.endpoint(address, ready=not terminating, serving=True, terminating=terminating)
        return {**found, "targetRef": {"kind": "Pod"}}

    async def withdrawn(address: str) -> bool:
        await settle()
        await world.clock.advance(2)
        return waits[address].done()

    world.serve("web", "10.1.0.2", ends("10.1.0.3", terminating=False))
    await attached(world, POD)
    waits = {one: asyncio.create_task(world.sync.withdrawn(one)) for one in ("10.1.0.3", "10.1.0.77")}
    assert await withdrawn("10.1.0.77"), "it is nobody's endpoint"
    assert not await withdrawn("10.1.0.3"), "its slice does not know yet that it ends"
    world.netns.available = False
    world.serve("web", "10.1.0.2", ends("10.1.0.3", terminating=True))
    assert not await withdrawn("10.1.0.3"), "the rules could not be written"
    world.sync.suspect_all()
    assert not await withdrawn("10.1.0.3"), "what rules there are is not known"
    world.netns.available = True
    assert await withdrawn("10.1.0.3")
    assert world.fate() == "10.1.0.2"
    world.serve("web", ends("10.1.0.3", terminating=True))
    waits["10.1.0.3"] = asyncio.create_task(world.sync.withdrawn("10.1.0.3"))
    assert await withdrawn("10.1.0.3"), "as the last one it serves to its end"
    assert world.fate() == "10.1.0.3"


async def test_a_change_without_effect_writes_nothing(world: World) -> None:
    await attached(world, POD)
    world.netns.batches.clear()
    world.client.put(
        {**cases.service("web"), "metadata": {"namespace": "default", "name": "web", "labels": {"a": "b"}}}
    )
    beat = {**node("10.1.0.1"), "conditions": [{"type": "Ready"}]}
    world.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}, "status": beat})
    await settle()
    await world.clock.advance(1)
    assert world.netns.batches == []


async def test_node_addresses_are_followed(world: World) -> None:
    await attached(world, POD)
    world.serve("web", "10.1.0.2", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    world.client.put(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}, "status": node("10.1.0.77")}
    )
    await settle()
    await world.clock.advance(1)
    assert world.fate(POD, Packet("10.1.0.77", 30080)) == "10.1.0.2"
    assert world.fate(POD, Packet("10.1.0.1", 30080)) == "10.1.0.1"


async def test_removed_services_are_rejected(world: World) -> None:
    await attached(world, POD)
    world.client.remove(kinds.SERVICE, "default", "web")
    world.client.remove(kinds.ENDPOINT_SLICE, "default", "web-1")
    await settle()
    await world.clock.advance(1)
    assert world.fate() == "rejected"


async def test_a_sandbox_that_begins_anew_while_its_rules_are_written_waits_for_its_own(world: World) -> None:
    world.netns.gate = asyncio.Event()
    before = asyncio.create_task(attached(world, POD))
    await settle()
    fresh = replace(POD, pid=111)
    after = asyncio.create_task(world.sync.attach(fresh))
    await settle()
    world.netns.ended.add(POD.pid)
    world.netns.gate.set()
    await asyncio.gather(before, after)
    assert [change.pid for batch in world.netns.batches for change in batch] == [POD.pid, fresh.pid]
    assert world.fate() == "10.1.0.2"


async def test_pods_wait_for_the_agent(world: World) -> None:
    world.netns.available = False
    waiting = asyncio.create_task(world.sync.attach(POD))
    await world.clock.advance(3)
    assert not waiting.done()
    world.netns.available = True
    await world.clock.advance(1)
    await waiting
    assert world.fate() == "10.1.0.2"


async def test_a_pod_that_waits_too_long_learns_it(world: World) -> None:
    world.netns.available = False
    waiting = asyncio.create_task(world.sync.attach(POD))
    await world.clock.advance(ATTACH_SECONDS + 1)
    with pytest.raises(errors.DriverError, match="did not answer"):
        await waiting


async def test_a_failed_attachment_is_told_in_the_tools_words(world: World) -> None:
    world.netns.gone["pod-1"] = "nft: something is wrong"
    with pytest.raises(errors.DriverError, match="something is wrong"):
        await world.sync.attach(POD)
    del world.netns.gone["pod-1"]
    await world.clock.advance(1)
    await world.sync.attach(POD)


async def test_forgetting_ends_waiting(world: World) -> None:
    world.netns.available = False
    waiting = asyncio.create_task(world.sync.attach(POD))
    await settle()
    world.sync.forget("pod-1")
    world.sync.forget("pod-1")
    with pytest.raises(errors.NoSuchContainer):
        await waiting


async def test_ended_containers_are_forgotten_and_failed_ones_tried_again(world: World) -> None:
    await attached(world, POD, OTHER)
    world.netns.gone = {"pod-1": "no such process", "pod-2": "busy"}
    world.present.remove(POD)
    world.serve("web", "10.1.0.5")
    await settle()
    await world.clock.advance(0.05)
    world.netns.gone.clear()
    world.netns.batches.clear()
    await world.clock.advance(2)
    assert world.fate(OTHER) == "10.1.0.5"
    assert {change.sandbox for batch in world.netns.batches for change in batch} == {"pod-2"}


async def test_nobody_waits_for_namespaces_that_fail(world: World) -> None:
    await attached(world, POD, OTHER)
    world.slow = asyncio.Event()  # as an engine that has much to do answers late who is there
    world.netns.gone = {"pod-1": "sh: can't open /proc/101/ns/net"}
    world.serve("web", "10.1.0.5")
    await settle()
    await world.clock.advance(0.05)
    world.serve("web", "10.1.0.6")
    await settle()
    await world.clock.advance(0.05)
    assert world.fate(OTHER) == "10.1.0.6"
    world.slow.set()


@pytest.mark.parametrize(
    ("words", "remains", "warned"),
    [
        ("nft: busy", True, True),
        ("nft: busy", False, False),
        ("sh: can't open /proc/12/ns/net: no such file", True, False),
    ],
)
async def test_the_end_of_a_container_is_no_warning(
    world: World, caplog: pytest.LogCaptureFixture, words: str, *, remains: bool, warned: bool
) -> None:
    await attached(world, POD)
    world.netns.gone = {"pod-1": words}
    if not remains:
        world.present.remove(POD)
    world.serve("web", "10.1.0.5")
    await settle()
    await world.clock.advance(0.05)
    assert (
        any("rules of pod-1" in one.message for one in caplog.records if one.levelname == "WARNING") == warned
    )


async def test_the_oldest_rules_have_their_turn_first_and_who_is_gone_has_none(world: World) -> None:
    world.present += [POD, OTHER]
    await world.clock.advance(RESYNC_SECONDS + 1)
    written = {name: state.written for name, state in world.sync._states.items()}
    oldest = min(written, key=lambda name: written[name])
    assert world.sync._oldest() == oldest
    world.sync.forget(oldest)
    (left,) = world.sync._states
    assert world.sync._oldest() == left
    await world.sync.discover()
    assert len(world.sync._turns) == 2
    world.present.clear()
    await world.sync.discover()
    assert world.sync._oldest() == ""
    assert world.sync._turns == []


async def test_what_ran_before_is_found_and_everything_is_written_again_now_and_then(world: World) -> None:
    world.present += [POD, OTHER]
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert world.fate(POD) == world.fate(OTHER) == "10.1.0.2"
    world.netns.tables["pod-1"].chains["nat-output"].clear()
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert world.fate(POD) == "10.1.0.2"


async def test_a_round_that_took_long_does_not_keep_the_next_change_waiting_as_long(world: World) -> None:
    await attached(world, POD)
    world.netns.takes = lambda: world.clock.sleep(5)
    world.serve("web", "10.1.0.3")
    await world.clock.advance(5.1)
    world.netns.takes = None
    assert world.fate() == "10.1.0.3"
    world.serve("web", "10.1.0.4")
    await settle()
    await world.clock.advance(REST_SECONDS)
    assert world.fate() == "10.1.0.4"


async def test_what_comes_while_a_round_is_under_way_is_in_the_next_one(world: World) -> None:
    await attached(world, POD, OTHER)
    world.netns.takes = lambda: world.clock.sleep(1)
    for number in range(3, 60):
        world.serve("web", f"10.1.0.{number}")
        await settle()
        await world.clock.advance(0.07)
    await world.clock.advance(3)
    assert world.fate() == world.fate(OTHER) == "10.1.0.59"


async def test_writing_again_leaves_routes_alone_unless_they_are_in_doubt(world: World) -> None:
    await attached(world, POD)
    commands = world.netns.commands["pod-1"]
    routes = list(commands)
    assert routes
    await world.clock.advance(2 * RESYNC_SECONDS + 1)
    assert any(each.sandbox == "pod-1" and each.ruleset for each in world.netns.batches[-1])
    assert commands == routes
    assert world.sync.suspect("pod-1", routes=False)
    assert world.sync.suspect("pod-1"), "that of the routes is news"
    assert not world.sync.suspect("pod-1")
    assert not world.sync.suspect("pod-1", routes=False)
    await world.clock.advance(1)
    assert commands == routes * 2
    world.sync.suspect_all()
    await world.clock.advance(1)
    assert commands == routes * 3


async def test_what_is_as_it_was_left_is_not_written_again_but_swept(world: World) -> None:
    await attached(world, POD)
    world.netns.calm = True
    world.serve("web", "10.1.0.2", sessionAffinity="ClientIP")
    await world.clock.advance(1)
    world.serve("web", "10.1.0.7")
    await world.clock.advance(1)
    table = world.netns.tables["pod-1"]
    chains, used = set(table.chains), {name for name, rules in table.chains.items() if rules}
    assert chains > used, "emptied at once, deleted later"
    table.chains["nat-output"].clear()
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert set(table.chains) == used
    assert [change.writing for change in world.netns.batches[-1]] == [Writing.PART]
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert [change.writing for change in world.netns.batches[-1]] == [Writing.IF_DISTURBED]
    assert not table.chains["nat-output"], "it was not written"
    world.netns.calm = False
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert world.fate() == "10.1.0.7"


async def test_udp_flows_that_began_without_rules_are_forgotten_when_these_are_back(world: World) -> None:
    ports = [{"port": 53, "protocol": "UDP"}]
    world.client.put(cases.service("dns", "10.96.0.10", ports=ports))
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.2", ports=ports)})
    await attached(world, POD)
    await world.clock.advance(1)
    commands = world.netns.commands["pod-1"]
    assert not any("conntrack" in word for command in commands for word in command), "it is new"
    world.sync.suspect("pod-1", routes=False)
    await world.clock.advance(1)
    (_, _, words) = commands[-1]
    assert "conntrack -D -p udp --orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src 10.96.0.10" in words
    count = len(commands)
    await world.clock.advance(RESYNC_SECONDS + 1)
    assert len(commands) == count


async def test_writing_again_keeps_clients_and_sweeps_up(world: World) -> None:
    world.serve("web", "10.1.0.2", "10.1.0.3", sessionAffinity="ClientIP")
    await settle()
    await attached(world, POD)
    world.fate()
    world.serve("web", "10.1.0.2", sessionAffinity="ClientIP")
    await settle()
    await world.clock.advance(1)
    table = world.netns.tables["pod-1"]
    assert any("10.1.0.3" in name for name in table.chains)
    await world.clock.advance(RESYNC_SECONDS)
    assert not any("10.1.0.3" in name for name in [*table.chains, *table.remembered])
    assert [*table.remembered.values()] == [{"10.1.0.9"}]


async def test_udp_flows_are_purged_after_the_rules_changed(world: World) -> None:
    ports = [{"port": 53, "protocol": "UDP"}]
    world.client.put(cases.service("dns", "10.96.0.10", ports=ports))
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.2", ports=ports)})
    await settle()
    await attached(world, POD)
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.3", ports=ports)})
    await settle()
    await world.clock.advance(1)
    assert "--reply-src 10.1.0.2" in world.netns.batches[-1][0].commands[0][2]
    assert world.netns.batches[-1][0].ruleset == ""


async def test_udp_flows_are_purged_later_when_the_agent_ends_after_the_rules_changed(world: World) -> None:
    ports = [{"port": 53, "protocol": "UDP"}]
    world.client.put(cases.service("dns", "10.96.0.10", ports=ports))
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.2", ports=ports)})
    await attached(world, POD)

    async def ends() -> None:
        world.netns.available = False

    world.netns.takes = ends
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.3", ports=ports)})
    await settle()
    await world.clock.advance(1)
    assert "10.1.0.3" in str(world.netns.batches[-1][0].ruleset)
    world.netns.takes, world.netns.available = None, True
    await world.clock.advance(5)
    assert "--reply-src 10.1.0.2" in world.netns.batches[-1][0].commands[0][2]
    count = len(world.netns.batches)
    await world.clock.advance(5)
    assert len(world.netns.batches) == count, "once"


async def test_udp_flows_of_namespaces_that_were_there_before_are_swept_once(world: World) -> None:
    ports = [{"port": 53, "protocol": "UDP"}]
    world.client.put(cases.service("dns", "10.96.0.10", ports=ports))
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    world.client.put({**head, **cases.endpoint_slice("dns", "10.1.0.2", ports=ports)})
    informers = Informers(world.client)

    async def discover() -> list[Member]:
        return [OTHER]

    policies = AskedBook(informers)
    books = Books(RuleBook(informers, SETTINGS), policies)
    sync = RuleSync(world.netns, books, discover, world.clock)
    work = [asyncio.create_task(informers.run()), asyncio.create_task(sync.run())]
    await settle()
    await sync.attach(POD)
    await world.clock.advance(RESYNC_SECONDS + 1)
    swept = [
        change.sandbox
        for batch in world.netns.batches
        for change in batch
        if any("conntrack -D" in word for command in change.commands for word in command)
    ]
    assert swept == ["pod-2"]
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)


async def test_a_new_namespace_has_no_others_looked_at_unless_policies_bind_them(world: World) -> None:
    await world.sync.attach(POD)
    asked = world.policies.asked
    asked.clear()
    await world.sync.attach(OTHER)
    assert set(asked) == {OTHER.pod}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}}}
    world.client.put({**policy, "metadata": {"namespace": "default", "name": "deny"}})
    await world.clock.advance(1)
    asked.clear()
    await world.sync.attach(Member("pod-3", 103, "10.1.0.7", pod=("default", "three")))
    assert {POD.pod, OTHER.pod} < set(asked)


async def test_what_failed_and_is_gone_counts_for_no_policy_any_more(world: World) -> None:
    publisher = Member("publisher-1", 103, "10.1.0.7", profile=("default", "web"))
    await attached(world, POD, publisher)
    world.netns.gone = {"pod-1": "no such process", "publisher-1": "no such process"}
    world.present.clear()
    world.serve("web", "10.1.0.5")
    await settle()
    await world.clock.advance(2)
    for member in (POD, publisher):
        world.sync.forget(member.container_id)
    assert world.policies._attached == {}
    assert world.policies._publishers == {}
