"""The proxy of published ports: what reaches it, and what is told."""

from __future__ import annotations

import dataclasses
from typing import Any

from minikctl.drivers.fake_haproxy import FakeProxy
from minikctl.network import ports, publishers, system
from minikctl.network.outcomes import Outcomes
from minikctl.network.settings import NetworkSettings
from tests.network.bench import SETTINGS, Surroundings, event_of
from tests.plan.proxy import cases

WEB = cases.service("web", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
NODE_PORT = ("127.0.0.1", 30080)


def proxy_pod(container: str = "c1") -> Any:
    status = {"name": "haproxy", "state": {"running": {}}, "containerID": f"docker://{container}"}
    labels = {"app.kubernetes.io/name": "publisher"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": "kube-system", "name": "publisher", "labels": labels},
        "status": {"containerStatuses": [status] if container else []},
    }


OPEN = dataclasses.replace(SETTINGS, cluster=dataclasses.replace(SETTINGS.cluster, publish="0.0.0.0"))


@dataclasses.dataclass
class World(Surroundings):
    """Surroundings with a proxy of ports; ``busy`` is what somebody listens on."""

    settings: NetworkSettings = SETTINGS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.proxy = FakeProxy()
        self.busy: set[tuple[str, int]] = set()
        self.outcomes = Outcomes(self.client, self.events, (ports.PART, publishers.PART))
        self.controller = ports.PortProxy(
            self.tools, self.proxy, lambda: frozenset(self.busy), self.settings, self.outcomes
        )
        self.controller.prepare()

    def serve(self, *addresses: str, **spec: Any) -> None:
        self.client.put({**WEB, "spec": {**WEB["spec"], **spec}})
        piece = cases.endpoint_slice("web", *addresses)
        self.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})

    @property
    def text(self) -> str:
        return self.proxy.files["haproxy.cfg"]


async def test_before_the_proxy_runs_there_is_a_configuration_that_publishes_nothing() -> None:
    world = World()
    assert "127.0.0.1:" not in world.text.replace("127.0.0.1:9", "")
    first = dict(world.proxy.files)
    world.controller.prepare()
    assert world.proxy.files == first


async def test_ports_reach_the_proxy_and_endpoints_need_no_reload() -> None:
    world = World()
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.proxy.loads == []
        world.client.put(proxy_pod())
        await world.turn()
        assert "bind 127.0.0.1:30080" in world.text
        world.serve("10.1.0.2", "10.1.0.3")
        await world.turn()
        assert len(world.proxy.loads) == 1
        assert "set server default_web_80/s2 addr 10.1.0.3 port 8080" in world.proxy.commands
        world.serve("10.1.0.2", type="ClusterIP")
        await world.turn()
        assert "30080" not in world.text


async def test_a_health_check_counts_endpoints_without_a_reload() -> None:
    world = World()
    world.client.put(proxy_pod())
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    balanced = {**WEB, "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.2"}]}}}
    world.client.put({**balanced, "spec": {**WEB["spec"], **spec}})
    async with world.running(world.controller.run()):
        await world.turn()
        assert "bind 10.1.0.1:31000" in world.text
        piece = cases.endpoint_slice("web", "10.1.0.2")
        world.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})
        await world.turn()
        assert "set server default_web_health/s1 addr 10.1.0.2 port 9" in world.proxy.commands
        assert len(world.proxy.loads) == 1


async def test_a_load_balancer_waits_for_its_address() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2", type="LoadBalancer")
    async with world.running(world.controller.run()):
        await world.turn()
        assert "30080" not in world.text


async def test_a_taken_port_is_told_once_and_published_when_it_is_free() -> None:
    world = World()
    world.busy = {NODE_PORT}
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        await world.turn(ports.TAKEN_SECONDS)
        assert world.events.reasons("web") == ["PublishFailed"]
        assert "bind 127.0.0.1:30080" not in world.text
        world.busy.clear()
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" in world.text
        assert world.events.reasons("web") == ["PublishFailed", "Published"]
        world.busy = {NODE_PORT}  # by our own proxy
        world.serve("10.1.0.3")
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" in world.text


async def test_a_port_that_got_free_while_no_control_plane_ran_is_told_to_be_published() -> None:
    world = World()
    world.busy = {NODE_PORT}
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
    (failure,) = world.events.found
    world.client.put(event_of(failure))
    later = World(client=world.client, clock=world.clock)
    async with later.running(later.controller.run()):
        await later.turn()
        assert "bind 127.0.0.1:30080" in later.text
        assert later.events.reasons("web") == []  # the other part has not looked yet
        later.outcomes.fine(publishers.PART, WEB)
        assert later.events.reasons("web") == ["Published"]
    world.client.put(event_of(later.events.found[0], "2026-01-01T00:00:01Z"))
    last = World(client=world.client, clock=world.clock)
    async with last.running(last.controller.run()):
        await last.turn()
        last.outcomes.fine(publishers.PART, WEB)
        assert last.events.reasons("web") == []


async def test_ports_of_which_one_part_failed_are_not_published_for_the_other() -> None:
    world = World()
    world.busy = {NODE_PORT}
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        world.outcomes.fine(publishers.PART, WEB)
        assert world.events.reasons("web") == ["PublishFailed"]


async def test_a_port_that_stays_taken_is_told_again_before_the_event_is_forgotten() -> None:
    world = World()
    world.busy = {NODE_PORT}
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        await world.turn(ports.REMIND_SECONDS / 2)
        assert world.events.reasons("web") == ["PublishFailed"]
        await world.turn(ports.REMIND_SECONDS / 2)
        assert world.events.reasons("web") == ["PublishFailed"] * 2


async def test_a_taken_port_holds_up_no_other() -> None:
    world = World()
    world.busy = {NODE_PORT}
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        assert "bind 127.0.0.1:30080" not in world.text
        world.client.put(cases.service("api", type="NodePort", ports=[{"port": 80, "nodePort": 30081}]))
        await world.turn()
        assert "bind 127.0.0.1:30081" in world.text


async def test_a_proxy_that_cannot_start_for_a_taken_port_gets_files_without_it() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        world.busy = {NODE_PORT}
        world.client.put(proxy_pod(container=""))
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" not in world.text
        world.busy.clear()
        world.client.put(proxy_pod("c2"))
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" in world.text


async def test_a_proxy_that_is_up_before_its_pod_says_so_has_its_ports_itself() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        world.busy = {NODE_PORT}  # by the proxy, which was started again
        world.proxy.up = True
        world.client.put(proxy_pod(container=""))
        world.serve("10.1.0.2", "10.1.0.3")
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" in world.text
        world.client.put(proxy_pod("c2"))
        await world.turn(1)
        assert "10.1.0.3:8080" in world.proxy.loads[-1]["haproxy.cfg"]
        assert world.events.reasons("web") == []


async def test_files_that_were_changed_while_the_proxy_started_reach_it_later() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        world.busy = {NODE_PORT}
        world.client.put(proxy_pod(container=""))
        await world.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" not in world.text
    world.client.put(proxy_pod("c2"))
    later = World(client=world.client, clock=world.clock)
    later.busy = world.busy
    controller = ports.PortProxy(
        later.tools, world.proxy, lambda: frozenset(later.busy), later.settings, later.outcomes
    )
    async with later.running(controller.run()):
        await later.turn()
        assert len(world.proxy.loads) == 2
        later.busy.clear()
        await later.turn(ports.TAKEN_SECONDS)
        assert "bind 127.0.0.1:30080" in world.text


async def test_a_proxy_that_does_not_answer_is_loaded_anew() -> None:
    world = World()
    world.client.put(proxy_pod())
    world.serve("10.1.0.2")
    async with world.running(world.controller.run()):
        await world.turn()
        world.proxy.answers = False
        world.serve("10.1.0.3")
        await world.turn(1)
        world.proxy.answers = True
        await world.turn(5)
        assert "10.1.0.3:8080" in world.text
        assert len(world.proxy.loads) == 2


async def test_a_restarted_control_plane_reloads_nothing() -> None:
    world = World(settings=OPEN)
    world.client.put(proxy_pod())
    world.serve("10.1.0.2", externalTrafficPolicy="Local")
    async with world.running(world.controller.run()):
        await world.turn()
        assert world.events.reasons("web") == ["NotEnforced"]
    later = Surroundings(client=world.client, clock=world.clock)
    outcomes = Outcomes(later.client, later.events, (ports.PART,))
    busy = frozenset({("0.0.0.0", 30080)})
    controller = ports.PortProxy(later.tools, world.proxy, lambda: busy, OPEN, outcomes)
    controller.prepare()
    async with later.running(controller.run()):
        await later.turn()
    assert len(world.proxy.loads) == 1


def test_the_proxy_is_installed_only_where_the_engines_host_is_this_machine() -> None:
    def names(*, shares_host: bool) -> set[str]:
        settings = dataclasses.replace(SETTINGS, shares_host=shares_host)
        return {one["metadata"]["name"] for one in system.manifests(settings, {"dns_hash": "x"})}

    assert names(shares_host=True) - names(shares_host=False) == {"publisher"}


def test_what_serves_all_pods_has_processor_time_of_its_own() -> None:
    """Without a request it has next to nothing as soon as apps are busy: rules and names wait for seconds."""
    userspace = dataclasses.replace(SETTINGS.cluster, proxy_mode="userspace")
    settings = dataclasses.replace(SETTINGS, shares_host=True, cluster=userspace)
    asking = {
        one["metadata"]["name"]
        for one in system.manifests(settings, {"dns_hash": "x"})
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())
        if container.get("resources", {}).get("requests", {}).get("cpu")
    }
    assert asking == {"agent", "api-relay", "dns", "ingress", "kube-proxy", "publisher"}
