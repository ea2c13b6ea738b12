"""Rules by what the API says: one for all pods, unless nodes make a difference."""

from __future__ import annotations

from typing import Any

from minikctl.model import kinds
from minikctl.network.rulebook import RuleBook
from minikctl.plan.proxy import NodeProxy
from tests.network.bench import SETTINGS, Surroundings
from tests.plan.proxy import cases

HERE, THERE = ("default", "here"), ("default", "there")
CHAIN = "svc-default/web/tcp/80"


def pod(name: str) -> Any:
    metadata = {"namespace": "default", "name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": name}}


class World(Surroundings):
    """Surroundings with a Service whose endpoints are on two nodes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.book = RuleBook(self.informers, SETTINGS)
        self.changes = 0
        self.client.put(pod("here"))
        self.client.put(pod("there"))
        piece = cases.endpoint_slice(
            "web", cases.endpoint("10.1.0.2"), cases.endpoint("10.1.0.3", node="there")
        )
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})
        self.serve()

    def serve(self, **spec: Any) -> None:
        self.client.put(cases.service("web", **spec))

    def noted(self) -> None:
        self.changes += 1

    def rule(self, key: tuple[str, str], chain: str = CHAIN) -> str:
        chains = self.book.current(None, key).ruleset.chains
        return chains[chain].rules[0] if chain in chains else ""


async def test_without_a_difference_pods_of_all_nodes_share_their_rules() -> None:
    world = World()
    async with world.running():
        await world.book.ready()
        shared = world.book.current(None, HERE)
        assert world.book.current(None, THERE) is shared
        assert world.book.current(None) is shared


async def test_each_nodes_pods_have_the_endpoints_of_their_own_node() -> None:
    world = World()
    async with world.running():
        await world.book.ready()
        world.book.subscribe(world.noted)
        assert "map" in world.rule(THERE)
        world.serve(internalTrafficPolicy="Local")
        await world.turn()
        assert world.rule(HERE, f"{CHAIN}/local").endswith("to 10.1.0.2:8080")
        assert world.rule(THERE, f"{CHAIN}/local").endswith("to 10.1.0.3:8080")
        assert world.rule(("default", "gone"), f"{CHAIN}/local").endswith("to 10.1.0.2:8080")


async def test_in_userspace_mode_each_nodes_pods_are_led_to_its_proxy() -> None:
    world = World()
    proxies = {"here": NodeProxy("10.1.0.8", {CHAIN: 11000}), "there": NodeProxy("", {CHAIN: 11000})}
    world.book.through(lambda node: proxies[node])
    async with world.running():
        await world.book.ready()
        world.book.subscribe(world.noted)
        assert world.rule(HERE).endswith("to 10.1.0.8:11000")
        assert world.rule(THERE) == ""
        proxies["there"] = NodeProxy("10.1.0.9", {CHAIN: 11003})
        assert world.rule(THERE) == ""
        before = world.changes
        world.book.moved()
        assert world.changes == before + 1
        assert world.rule(THERE).endswith("to 10.1.0.9:11003")


async def test_of_services_and_nodes_that_are_gone_nothing_is_kept() -> None:
    world = World()
    web, here = ("default", "web"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "here"}}
    address = {"addresses": [{"type": "InternalIP", "address": "10.1.0.1"}]}
    world.client.put({**here, "status": address})
    world.serve(internalTrafficPolicy="Local")
    async with world.running():
        await world.book.ready()
        world.book.subscribe(world.noted)
        first = world.book.current(web)
        assert world.book.current(web) is first
        world.book.current(None, HERE)
        assert len(world.book._compiled) == 2
        world.client.remove(kinds.SERVICE, *web)
        world.client.remove(kinds.NODE, "", "here")
        await world.turn()
        assert world.book._compiled == {}
        gone = world.book.current(web)
        assert gone == world.book.current(web) != first
        assert world.book._compiled == {}
