"""The nodes' proxies: what reaches them, when rules lead there, and what is told."""

from __future__ import annotations

import dataclasses
from typing import Any

from minikctl.drivers.fake_haproxy import FakeProxy
from minikctl.network import system, userspace
from minikctl.network.rulebook import RuleBook
from tests.network.bench import SETTINGS, Surroundings
from tests.plan.proxy import cases

CHAIN = "svc-default/web/tcp/80"


def proxy_pod(node: str = "here", container: str = "c1", ip: str = "10.1.0.8") -> Any:
    status = {"name": "kube-proxy", "state": {"running": {}}, "containerID": f"docker://{container}"}
    labels = {"app.kubernetes.io/name": "kube-proxy"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "kube-system", "name": f"kube-proxy-{node}", "labels": labels},
        "spec": {"nodeName": node},
        "status": {"podIP": ip, "containerStatuses": [status] if container else []},
    }


class World(Surroundings):
    """Surroundings with two nodes' proxies."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.proxies = {"here": FakeProxy(), "there": FakeProxy()}
        self.begin()

    def begin(self) -> None:
        """Make the controller, as a control plane that starts does."""
        self.book = RuleBook(self.informers, SETTINGS)
        self.controller = userspace.NodeProxies(self.tools, self.proxies, self.book, SETTINGS)
        self.controller.prepare()

    def serve(self, *addresses: str, name: str = "web", **spec: Any) -> None:
        self.client.put(cases.service(name, **spec))
        piece = cases.endpoint_slice(name, *addresses)
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})

    def text(self, node: str = "here") -> str:
        return self.proxies[node].files["haproxy.cfg"]

    def leads(self, chain: str = CHAIN) -> str:
        """Return where the rules of the first node's pods lead."""
        chains = self.book.current(None).ruleset.chains
        return chains[chain].rules[0].rpartition(" ")[2] if chain in chains else ""


async def test_before_a_proxy_runs_there_is_a_configuration_and_nobody_is_served() -> None:
    world = World()
    assert "bind :10256" in world.text()
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.proxies["here"].loads == []
        assert world.leads() == ""


async def test_rules_lead_to_a_listener_once_it_listens_and_endpoints_need_no_reload() -> None:
    world = World()
    world.serve("10.1.0.2")
    world.proxies["here"].answers = False
    async with world.running(world.controller.run()):
        world.client.put(proxy_pod())
        await world.turn()
        assert world.leads() == ""
        world.proxies["here"].answers = True
        await world.turn(5)
        assert world.leads() == "10.1.0.8:11000"
        world.serve("10.1.0.2", "10.1.0.3")
        await world.turn()
        assert len(world.proxies["here"].loads) == 1
        assert (
            "set server svc-default_web_tcp_80/s2 addr 10.1.0.3 port 8080" in world.proxies["here"].commands
        )


async def test_each_node_has_listeners_of_its_own() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.client.put(proxy_pod("there", "c2", "10.1.0.9"))
    world.serve("10.1.0.2", internalTrafficPolicy="Local")
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.leads(f"{CHAIN}/local") == "10.1.0.8:11001"
        assert "10.1.0.2" not in world.text("there").partition("backend svc-default_web_tcp_80_local")[2]
        assert world.controller.find("there").address == "10.1.0.9"
        assert world.controller.find("nowhere").address == ""


async def test_another_proxy_pod_has_the_rules_follow_and_a_leaving_one_counts_no_more() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        leaving = proxy_pod()
        leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        world.client.put(leaving)
        await world.turn()
        assert world.leads() == ""
        world.client.put(proxy_pod("here", "c2", "10.1.0.10"))
        await world.turn()
        assert world.leads() == "10.1.0.10:11000"


async def test_a_restarted_control_plane_reloads_nothing_and_rules_stay() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
    later = World(client=world.client, clock=world.clock)
    later.proxies = world.proxies
    later.begin()
    async with later.running():
        await later.book.ready()
        assert later.leads() == "10.1.0.8:11000"
    async with later.running(later.controller.run()):
        await later.turn()
        later.serve("10.1.0.3", name="other")
        await later.turn()
        assert later.leads("svc-default/other/tcp/80") == "10.1.0.8:11001"
    assert len(world.proxies["here"].loads) == 2


async def test_policies_are_told_whom_they_judge() -> None:
    world = World()

    def policy(name: str) -> Any:
        metadata = {"namespace": "default", "name": name}
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": {},
        }

    world.client.put(policy("old"))
    async with world.running(world.controller.run()):
        world.client.put(policy("new"))
        await world.turn()
        world.client.put({**policy("new"), "spec": {"podSelector": {}}})
        await world.turn()
    assert world.events.reasons("old") == world.events.reasons("new") == ["ClientsMasked"]


def test_the_proxies_are_installed_in_that_mode_only() -> None:
    def names(mode: str) -> set[str]:
        cluster = dataclasses.replace(SETTINGS.cluster, proxy_mode=mode)
        found = system.manifests(dataclasses.replace(SETTINGS, cluster=cluster), {"dns_hash": "x"})
        return {one["metadata"]["name"] for one in found}

    assert names("userspace") - names("nftables") == {"kube-proxy"}
