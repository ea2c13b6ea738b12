"""The mode userspace: what rules lead to, which ports listeners get, and what the proxy is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minikctl.plan import proxy, proxy_nft, proxy_view, userspace
from minikctl.plan.haproxy import CONFIG
from minikctl.plan.proxy import NodeProxy
from minikctl.plan.userspace import FIRST_PORT, LAST_PORT, Listener, Place
from tests.packets.tracer import Packet, Table, Tracer
from tests.plan.proxy.cases import FACTS, endpoint, endpoint_slice, service

WEB = "svc-default/web/tcp/80"
PLACE = Place()


def tracer(services: list[Any], slices: list[Any], node_proxy: NodeProxy) -> Tracer:
    compiled = proxy.compile_pods(services, slices, dataclasses.replace(FACTS, proxy=node_proxy))
    return Tracer(Table().apply(proxy_nft.replace(compiled.ruleset)))


def fate(tracing: Tracer, address: str, port: int = 80, protocol: str = "tcp") -> str:
    found = tracing.send(Packet(address, port, protocol))
    return f"{found.address}:{found.port}" if found.verdict == "sent" else found.verdict


BOTH = [{"name": "t", "port": 80}, {"name": "u", "port": 53, "protocol": "UDP"}]
SLICE_PORTS = [{"name": "t", "port": 8080}, {"name": "u", "port": 5353, "protocol": "UDP"}]


def test_tcp_leads_to_the_proxy_at_every_address_and_udp_to_the_endpoint() -> None:
    web = service(
        "web", type="NodePort", externalIPs=["192.0.2.9"], ports=[{**BOTH[0], "nodePort": 30080}, BOTH[1]]
    )
    tracing = tracer(
        [web], [endpoint_slice("web", "10.1.0.2", ports=SLICE_PORTS)], NodeProxy("10.1.0.8", {WEB: 11000})
    )
    assert fate(tracing, "10.96.0.20") == "10.1.0.8:11000"
    assert fate(tracing, "192.0.2.9") == "10.1.0.8:11000"
    assert fate(tracing, "10.1.0.1", 30080) == "10.1.0.8:11000"
    assert fate(tracing, "10.96.0.20", 53, "udp") == "10.1.0.2:5353"


@pytest.mark.parametrize(
    ("addresses", "node_proxy"),
    [
        ((), NodeProxy("10.1.0.8", {WEB: 11000})),
        (("10.1.0.2",), NodeProxy("", {WEB: 11000})),
        (("10.1.0.2",), NodeProxy("10.1.0.8", {})),
    ],
    ids=["no endpoint", "no proxy", "no listener"],
)
def test_what_nobody_serves_is_refused_at_once(addresses: tuple[str, ...], node_proxy: NodeProxy) -> None:
    tracing = tracer([service("web")], [endpoint_slice("web", *addresses)], node_proxy)
    assert fate(tracing, "10.96.0.20") == "rejected"


def test_the_proxy_remembers_clients_not_the_rules() -> None:
    facts = dataclasses.replace(FACTS, proxy=NodeProxy("10.1.0.8", {WEB: 11000}))
    compiled = proxy.compile_pods(
        [service("web", sessionAffinity="ClientIP")], [endpoint_slice("web", "10.1.0.2")], facts
    )
    assert compiled.ruleset.clients == {}
    assert compiled.ruleset.chains[WEB].rules == ("meta l4proto tcp dnat ip to 10.1.0.8:11000",)


def test_listeners_are_tcp_ports_with_local_ones_of_their_own() -> None:
    web = service("web", ports=BOTH, internalTrafficPolicy="Local", sessionAffinity="ClientIP")
    piece = endpoint_slice("web", "10.1.0.2", endpoint("10.1.0.3", node="there"), ports=SLICE_PORTS)
    spot = proxy_view.Spot("there")
    everywhere, local = userspace.listeners([web, service("none", "10.96.0.21")], [piece], spot)[1:]
    assert (everywhere.chain, [one.ip for one in everywhere.targets]) == (WEB, ["10.1.0.2", "10.1.0.3"])
    assert (local.chain, [one.ip for one in local.targets]) == (f"{WEB}/local", ["10.1.0.3"])
    assert {everywhere.affinity_seconds, local.affinity_seconds} == {10800}


def test_a_listener_keeps_traffic_close_as_hints_say() -> None:
    hints: Any = [{"hints": {"forZones": [{"name": zone}]}} for zone in ("a", "b")]
    entries = [{**endpoint(f"10.1.0.{number}"), **hint} for number, hint in enumerate(hints, 2)]
    piece = endpoint_slice("web", *entries)
    (found,) = userspace.listeners([service("web")], [piece], proxy_view.Spot("there", "b"))
    assert [one.ip for one in found.targets] == ["10.1.0.3"]


def test_ports_stay_and_those_given_back_are_not_soon_anothers() -> None:
    first, last = userspace.allot({}, ["a", "b"], FIRST_PORT - 1)
    assert (first, last) == ({"a": FIRST_PORT, "b": FIRST_PORT + 1}, FIRST_PORT + 1)
    assert userspace.allot(first, ["a", "c"], last) == (
        {"a": FIRST_PORT, "c": FIRST_PORT + 2},
        FIRST_PORT + 2,
    )
    assert userspace.allot(first, ["a"], last) == ({"a": FIRST_PORT}, last)


def test_ports_begin_again_where_they_end_until_there_are_none() -> None:
    held = {"a": FIRST_PORT, "b": LAST_PORT}
    found, last = userspace.allot(held, ["a", "b", "c"], LAST_PORT)
    assert (found["c"], last) == (FIRST_PORT + 1, FIRST_PORT + 1)
    names = [str(number) for number in range(LAST_PORT - FIRST_PORT + 2)]
    full, _ = userspace.allot({}, names, FIRST_PORT - 1)
    assert len(full) == len(names) - 1 == len(set(full.values()))


def rendered(*found: Listener) -> str:
    ports, _ = userspace.allot({}, [one.chain for one in found], FIRST_PORT - 1)
    return userspace.render(found, ports, {}, PLACE).files[CONFIG]


def test_a_configuration_tells_its_ports() -> None:
    text = rendered(Listener(WEB, ()), Listener(f"{WEB}/local", ()))
    assert userspace.bound(text) == {WEB: FIRST_PORT, f"{WEB}/local": FIRST_PORT + 1}


def test_what_has_no_port_is_not_served() -> None:
    found = userspace.render([Listener(WEB, ())], {}, {}, PLACE)
    assert found.slots == {}
    assert "svc-" not in found.files[CONFIG]


def test_clients_keep_their_endpoint_for_the_time_of_the_service() -> None:
    kept = "stick-table type ip size 100k expire 60s peers clients\n  stick on src\n"
    assert kept in rendered(Listener(WEB, (), affinity_seconds=60))
    assert "stick" not in rendered(Listener(WEB, ()))


def test_endpoints_come_and_go_without_another_structure() -> None:
    def structure(*targets: proxy_view.Target, seconds: int = 0) -> str:
        return userspace.render([Listener(WEB, targets, seconds)], {WEB: 11000}, {}, PLACE).structure

    one = proxy_view.Target("10.1.0.2", 8080)
    assert structure() == structure(one) == structure(one, proxy_view.Target("10.1.0.3", 8080))
    assert structure() != structure(seconds=60)


def test_a_policy_is_told_whom_it_judges() -> None:
    event = userspace.masked({"metadata": {"name": "p"}})
    assert (event.type, event.reason) == ("Warning", "ClientsMasked")
    assert "k8s-app=kube-proxy" in event.message
