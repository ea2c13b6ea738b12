"""Policies in the namespaces of pods: from the first packet on, and as anything changes."""

from __future__ import annotations

from typing import Any

from minikctl.model import kinds
from minikctl.network.policies import PolicyBook
from minikctl.network.rulebook import RuleBook
from minikctl.network.sync import RESYNC_SECONDS, Books, Member, RuleSync
from tests.fakes.clock import settle
from tests.network.bench import SETTINGS, Surroundings
from tests.network.fakes import TableNetns
from tests.packets.policies import Flow, passes
from tests.plan.netpol import grid

WEB = Member("c-web", 101, "10.1.0.11", pod=("x", "web"))
FRIEND = Member("c-friend", 102, "10.1.0.12", pod=("x", "friend"))
STRANGER = Member("c-stranger", 103, "10.1.0.13", pod=("x", "stranger"))
RULES = [{"from": [{"podSelector": {"matchLabels": {"pod": "friend"}}}]}]


class World(Surroundings):
    """Three pods and the rules of their namespaces."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.netns = TableNetns()
        self.present: list[Member] = []

        async def discover() -> list[Member]:
            return list(self.present)

        self.book = PolicyBook(self.informers)
        books = Books(RuleBook(self.informers, SETTINGS), self.book)
        self.rules = RuleSync(self.netns, books, discover, self.clock)
        node = {"addresses": [{"type": "InternalIP", "address": grid.NODE}]}
        self.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}, "status": node})
        self.space("x")

    def space(self, name: str, **labels: str) -> None:
        meta = {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}
        self.client.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def pod(self, member: Member, ip: str | None = None, **labels: str) -> None:
        assert member.pod is not None
        namespace, name = member.pod
        self.client.put(grid.pod(namespace, name, member.ip if ip is None else ip, labels))

    def policy(self, **spec: Any) -> None:
        selector = {"podSelector": {"matchLabels": {"pod": "web"}}}
        self.client.put(grid.policy(**{**selector, "ingress": RULES, **spec}))

    async def start(self, *members: Member, told: bool = True) -> None:
        for member in members:
            self.pod(member, None if told else "")
        await settle()
        self.present += members
        for member in members:
            await self.rules.attach(member)

    def allowed(self, source: Member, target: Member = WEB) -> bool:
        tables = self.netns.policies
        return passes(
            Flow(source.ip, target.ip), tables.get(source.container_id), tables.get(target.container_id)
        )


async def test_a_pod_is_isolated_when_its_attachment_returns() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await settle()
        await world.start(FRIEND, STRANGER)
        await world.start(WEB, told=False)
        assert world.allowed(FRIEND)
        assert not world.allowed(STRANGER)


async def test_others_know_a_pods_address_when_its_attachment_returns() -> None:
    """The API has no address of it before its first container starts."""
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await settle()
        await world.start(WEB)
        await world.start(FRIEND, STRANGER, told=False)
        assert world.allowed(FRIEND)
        assert not world.allowed(STRANGER)


async def test_changes_of_policies_pods_and_namespaces_arrive_within_milliseconds() -> None:
    world = World()
    async with world.running(world.rules.run()):
        await world.start(WEB, FRIEND, STRANGER)
        assert world.allowed(STRANGER)
        world.policy()
        await world.turn(0.02)
        assert not world.allowed(STRANGER)
        world.pod(STRANGER, pod="friend")
        await world.turn(0.02)
        assert world.allowed(STRANGER)
        world.policy(ingress=[{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}])
        await world.turn(0.02)
        assert not world.allowed(FRIEND)
        world.space("x", team="a")
        await world.turn(0.02)
        assert world.allowed(FRIEND)
        world.client.remove(kinds.NETWORK_POLICY, "x", "policy")
        await world.turn(0.02)
        assert not world.netns.policies["c-web"].there


async def test_a_pod_that_comes_or_goes_changes_elements_only() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB)
        world.netns.batches.clear()
        await world.start(FRIEND)
        (batch,) = world.netns.batches
        (text,) = (change.ruleset for change in batch if change.sandbox == "c-web")
        assert text == "add element inet minikctl-policy ingress-pods { 10.1.0.12 : accept }\n"
        world.netns.batches.clear()
        world.client.remove(kinds.POD, "x", "friend")
        world.rules.forget("c-friend")
        await world.turn(0.02)
        (text,) = {change.ruleset for batch in world.netns.batches for change in batch if change.ruleset}
        assert text == "delete element inet minikctl-policy ingress-pods { 10.1.0.12 : accept }\n"


async def test_what_concerns_no_policy_writes_nothing() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB, FRIEND)
        world.netns.batches.clear()
        ready = grid.pod("x", "friend", FRIEND.ip)
        ready["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        world.client.put(ready)
        world.client.put(grid.pod("x", "friend", FRIEND.ip, {"other": "label"}))
        world.space("x", other="label")
        await world.turn(0.05)
        assert world.netns.batches == []


async def test_a_publisher_counts_as_the_node() -> None:
    publisher = Member("c-publisher", 301, "10.1.0.200", profile=("x", "web"))
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB)
        assert not world.allowed(publisher)
        world.present.append(publisher)
        await world.rules.attach(publisher)
        assert world.allowed(publisher)
        world.rules.forget("c-publisher")
        world.rules.changed()
        await world.turn(0.02)
        assert not world.allowed(publisher)


async def test_rules_that_somebody_deleted_are_written_again() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB, STRANGER)
        world.netns.policies["c-web"].apply("delete table inet minikctl-policy")
        assert world.allowed(STRANGER)
        await world.turn(RESYNC_SECONDS + 1)
        assert not world.allowed(STRANGER)


async def test_a_pod_keeps_its_table_while_it_outlives_its_object() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB, STRANGER)
        world.client.remove(kinds.POD, "x", "web")
        await world.turn(RESYNC_SECONDS + 1)
        assert not world.allowed(STRANGER)
        world.present.remove(WEB)
        world.rules.forget("c-web")
        await world.turn()
        assert world.book.table(("x", "web")) is None


async def test_the_address_of_a_new_sandbox_counts_before_the_api_has_it() -> None:
    world = World()
    async with world.running(world.rules.run()):
        world.policy()
        await world.start(WEB, FRIEND)
        again = Member("c-friend-2", 202, "10.1.0.14", pod=("x", "friend"))
        world.rules.forget("c-friend")
        await world.rules.attach(again)
        assert world.allowed(again)
        assert not world.allowed(FRIEND)


async def test_udp_flows_that_are_not_allowed_any_more_are_forgotten() -> None:
    world = World()
    async with world.running(world.rules.run()):
        await world.start(WEB, FRIEND)
        world.policy()
        await world.turn(0.05)
        words = [word for command in world.netns.commands["c-web"] for word in command]
        assert any("conntrack -D -p udp --orig-dst 10.1.0.11" in word for word in words)
