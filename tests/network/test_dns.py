"""Name servers filled: at first, on changes, after restarts."""

from __future__ import annotations

from typing import Any

from minikctl.drivers.fake_bind import FakeNameServers
from minikctl.model import kinds
from minikctl.network import dns
from tests.network.bench import SETTINGS, Surroundings
from tests.plan.proxy import cases

ZONE = "cluster.local"
WEB = ("web.default.svc.cluster.local.", "A")


def server(name: str, ip: str = "10.1.0.53", **more: Any) -> Any:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "kube-system",
            "name": name,
            "uid": name,
            "labels": {"k8s-app": "kube-dns"},
        },
        "spec": {},
        "status": {"podIP": ip, "phase": "Running"},
        **more,
    }


class World(Surroundings):
    """Surroundings with name servers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.servers = FakeNameServers()
        self.dns = dns.ClusterDns(self.tools, self.servers, SETTINGS)
        self.client.put(cases.service("web"))

    def web(self, address: str = "10.1.0.53") -> set[str]:
        return set(self.servers.lookup(address, *WEB))


async def test_a_server_is_filled_as_soon_as_it_has_an_address() -> None:
    world = World()
    async with world.running(world.dns.run()):
        world.client.put(server("dns-1", ""))
        await world.turn()
        assert world.servers.zones == {}
        world.client.put(server("dns-1"))
        await world.turn()
        assert world.web() == {"10.96.0.20"}
        assert world.servers.lookup("10.1.0.53", "20.0.96.10.in-addr.arpa.", "PTR")


async def test_a_namespace_has_a_name_for_as_long_as_it_is_there() -> None:
    world = World()
    world.client.put(server("dns-1"))
    key = "_minikctl.shop.svc.cluster.local.", "TXT"
    shop = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    async with world.running(world.dns.run()):
        world.client.put(shop)
        await world.turn()
        assert world.servers.lookup("10.1.0.53", *key)
        world.servers.updates.clear()
        world.client.put({**shop, "status": {"phase": "Active"}})
        await world.turn()
        assert world.servers.updates == []
        world.client.remove(kinds.NAMESPACE, "", "shop")
        await world.turn()
        assert not world.servers.lookup("10.1.0.53", *key)


async def test_endpoints_have_names_while_they_are_ready() -> None:
    world = World()
    world.client.put(server("dns-1"))
    host = "10-1-0-2.web.default.svc.cluster.local.", "A"
    async with world.running(world.dns.run()):
        for ready in (True, False, True):
            piece = cases.endpoint_slice("web", cases.endpoint("10.1.0.2", ready=ready))
            world.client.put({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **piece})
            await world.turn()
            assert bool(world.servers.lookup("10.1.0.53", *host)) == ready
            assert world.web() == {"10.96.0.20"}


async def test_only_what_differs_is_sent_and_changes_are_gathered() -> None:
    world = World()
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
        world.servers.updates.clear()
        world.client.put(cases.service("new", "10.96.0.21"))
        world.client.put(cases.service("web", "10.96.0.22"))
        await world.turn()
        forward = [changes for _, zone, changes in world.servers.updates if zone == ZONE]
        new = "new.default.svc.cluster.local."
        assert [set(changes) for changes in forward] == [{WEB, (new, "A"), (new, "SRV")}]


async def test_what_is_gone_is_deleted() -> None:
    world = World()
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
        world.client.remove(kinds.SERVICE, "default", "web")
        await world.turn()
        assert world.web() == set()


async def test_leftovers_of_an_earlier_control_plane_are_swept_and_the_rest_is_not_touched() -> None:
    world = World()
    own = ("ns.dns.cluster.local.", "A")
    left = ("gone.default.svc.cluster.local.", "A")
    held = {WEB: frozenset({"10.96.0.20"}), left: frozenset({"10.96.0.9"}), own: frozenset({"10.96.0.10"})}
    world.servers.zones["10.1.0.53", ZONE] = dict(held)
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
    changed = {key for _, zone, changes in world.servers.updates if zone == ZONE for key in changes}
    assert left in changed
    assert WEB not in changed
    assert own not in changed


async def test_a_server_that_lost_its_zones_is_filled_anew() -> None:
    world = World()
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
        world.servers.restart("10.1.0.53")
        assert world.web() == set()
        await world.turn(dns.CHECK_SECONDS + 1)
        assert world.web() == {"10.96.0.20"}
        world.servers.restart("10.1.0.53")
        world.client.put(cases.service("new", "10.96.0.21"))
        await world.turn(1)
        assert world.web() == {"10.96.0.20"}


async def test_a_server_that_does_not_answer_is_tried_again_and_delays_no_other() -> None:
    world = World()
    world.servers.down.add("10.1.0.53")
    world.client.put(server("dns-1"))
    world.client.put(server("dns-2", "10.1.0.54"))
    async with world.running(world.dns.run()):
        await world.turn()
        assert world.web("10.1.0.54") == {"10.96.0.20"}
        world.servers.down.clear()
        await world.turn(3)
        assert world.web("10.1.0.53") == {"10.96.0.20"}


async def test_servers_come_and_go() -> None:
    world = World()
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
        world.client.remove(kinds.POD, "kube-system", "dns-1")
        world.client.put(server("dns-2", "10.1.0.54"))
        world.client.put(cases.service("web", "10.96.0.23"))
        await world.turn()
        assert world.web("10.1.0.53") == {"10.96.0.20"}
        assert world.web("10.1.0.54") == {"10.96.0.23"}


async def test_changes_of_pods_that_do_not_concern_names_are_not_looked_at() -> None:
    world = World()
    world.client.put(server("dns-1"))
    async with world.running(world.dns.run()):
        await world.turn()
        world.servers.updates.clear()
        world.client.put(server("dns-1", status={"podIP": "10.1.0.53", "phase": "Running", "message": "x"}))
        await world.turn()
        assert world.servers.updates == []
        app = server("app", "10.1.0.60")
        app["metadata"] |= {"namespace": "shop", "labels": {}}
        world.client.put(app)
        await world.turn()
        name = "10-1-0-60.shop.pod.cluster.local."
        assert world.servers.lookup("10.1.0.53", name, "A") == {"10.1.0.60"}


def test_pods_that_share_an_address_share_a_name_until_the_last_is_gone() -> None:
    names = dns.PodNames(ZONE)
    one, two = server("one"), {**server("two"), "metadata": {"namespace": "kube-system", "uid": "two"}}
    names.follow(None, one)
    names.follow(None, two)
    key = ("10-1-0-53.kube-system.pod.cluster.local.", "A")
    assert names.records == {key: frozenset({"10.1.0.53"})}
    names.follow(one, {**one, "status": {"podIP": "10.1.0.53", "phase": "Failed"}})
    assert key in names.records
    moved = {**two, "status": {"podIP": "10.1.0.54", "phase": "Running"}}
    names.follow(two, moved)
    assert list(names.records) == [("10-1-0-54.kube-system.pod.cluster.local.", "A")]
    names.follow(moved, None)
    assert names.records == {}
    names.follow({**server("three"), "status": {}}, None)


async def test_a_server_whose_filling_failed_unexpectedly_is_filled_after_the_next_change() -> None:
    world = World()
    world.client.put(server("dns-1"))
    update, failures = world.servers.update, [ValueError("not understood")]

    async def failing(*args: Any) -> None:
        if failures:
            raise failures.pop()
        await update(*args)

    world.servers.update = failing  # type: ignore[method-assign,assignment]
    async with world.running(world.dns.run()):
        await world.turn()
        assert not failures
        world.client.put(cases.service("new", "10.96.0.21"))
        await world.turn()
        assert world.web() == {"10.96.0.20"}
