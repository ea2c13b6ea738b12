"""The configuration that publishes TCP ports: where it listens, whom it serves, what is left out."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import haproxy, proxy_view, publisher_haproxy
from minikctl.plan.haproxy import CONFIG, Rendered
from minikctl.plan.proxy_view import Target
from minikctl.plan.publisher_haproxy import Bind, Place, Published
from tests.plan.proxy.cases import endpoint, endpoint_slice, service

PLACE = Place("10.1.0.1")
WEB = service("web", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
NODE_PORT = ("127.0.0.1", 30080)
HEALTH = ("127.0.0.1", publisher_haproxy.HEALTH_PORT)
BALANCED = service(
    "web", type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}], status=[{"ip": "127.0.1.2"}]
)


def published(*services: Any, slices: Any = (), subnet: str = "") -> tuple[Published, ...]:
    return publisher_haproxy.published(services, slices, "127.0.0.1", subnet)


def rendered(*services: Any, slices: Any = (), taken: Any = (), slots: Any = None) -> Rendered:
    return publisher_haproxy.render(published(*services, slices=slices), taken, slots or {}, PLACE)


def lines(found: Rendered) -> list[str]:
    return [line.strip() for line in found.files[CONFIG].splitlines()]


def test_a_node_port_listens_at_the_clusters_address() -> None:
    (one,) = published(WEB, slices=[endpoint_slice("web", "10.1.0.2")])
    assert (one.binds, one.targets) == ((NODE_PORT,), (Target("10.1.0.2", 8080),))
    found = lines(rendered(WEB, slices=[endpoint_slice("web", "10.1.0.2")]))
    assert "bind 127.0.0.1:30080" in found
    assert "server s1 10.1.0.2:8080" in found
    assert "source 10.1.0.1" in found


def test_a_proxy_leaves_half_of_the_processors_to_apps_and_clients() -> None:
    assert [haproxy.threads(cpus) for cpus in (0, 1, 2, 3, 4, 16)] == [1, 1, 1, 1, 2, 8]
    proxy = publisher_haproxy.render((), (), {}, Place("10.1.0.1", threads=haproxy.threads(8)))
    assert "nbthread 4" in lines(proxy)


def test_what_is_not_published_or_not_tcp_is_left_out() -> None:
    udp = service("dns", type="NodePort", ports=[{"port": 53, "protocol": "UDP", "nodePort": 30053}])
    both = [{"port": 53, "protocol": "UDP", "nodePort": 30053}, {"port": 53, "nodePort": 30054}]
    assert published(service("inner"), udp) == ()
    (one,) = published(service("both", type="NodePort", ports=both))
    assert one.binds == (("127.0.0.1", 30054),)


def test_a_service_without_endpoints_listens_and_refuses() -> None:
    found = lines(rendered(WEB))
    assert "tcp-request connection reject if { nbsrv(default_web_80) eq 0 }" in found
    assert "bind 127.0.0.1:30080" in found


def test_endpoints_beyond_the_fence_are_not_served() -> None:
    slices = [endpoint_slice("web", "10.1.0.2", "192.0.2.9")]
    (one,) = published(WEB, slices=slices, subnet="10.1.0.0/20")
    assert one.targets == (Target("10.1.0.2", 8080),)
    (one,) = published(WEB, slices=slices)
    assert len(one.targets) == 2


def test_source_ranges_hold_for_the_load_balancers_address_only() -> None:
    limited = {**BALANCED, "spec": {**BALANCED["spec"], "loadBalancerSourceRanges": ["192.0.2.0/24 "]}}
    found = lines(rendered(limited))
    at = found.index("tcp-request connection reject if { dst 127.0.1.2 } !allowed")
    assert found[at - 1] == "acl allowed src 192.0.2.0/24"
    assert not [line for line in lines(rendered(BALANCED)) if " src " in line]
    node_port = {**WEB, "spec": {**WEB["spec"], "loadBalancerSourceRanges": ["192.0.2.0/24"]}}
    assert not [line for line in lines(rendered(node_port)) if " src " in line]


def test_clients_keep_their_endpoint_where_that_is_wanted() -> None:
    sticky = {**WEB, "spec": {**WEB["spec"], "sessionAffinity": "ClientIP"}}
    found = lines(rendered(sticky))
    assert "stick-table type ip size 100k expire 10800s peers clients" in found
    assert found[found.index("peers clients") + 1] == "peer proxy 127.0.0.1:1"
    assert not [line for line in lines(rendered(WEB)) if "stick" in line or line == "peers clients"]


def test_endpoints_are_commands_and_ports_are_structure() -> None:
    one = rendered(WEB, slices=[endpoint_slice("web", "10.1.0.2")])
    two = rendered(WEB, slices=[endpoint_slice("web", "10.1.0.2", "10.1.0.3")], slots=one.slots)
    assert two.structure == one.structure
    assert haproxy.commands(one.slots, two.slots) == (
        "set server default_web_80/s2 addr 10.1.0.3 port 8080",
        "set server default_web_80/s2 state ready",
    )
    assert rendered(BALANCED, slots=one.slots).structure != one.structure


def test_what_others_listen_on_is_left_out_and_told() -> None:
    ports = published(BALANCED)
    everywhere: Bind = ("0.0.0.0", 80)
    assert publisher_haproxy.taken(ports, {NODE_PORT}, ()) == {NODE_PORT}
    assert publisher_haproxy.taken(ports, {NODE_PORT}, {NODE_PORT}) == frozenset()
    taken = publisher_haproxy.taken(ports, {everywhere}, {NODE_PORT})
    assert taken == {("127.0.1.2", 80)}
    found = rendered(BALANCED, taken=taken)
    assert publisher_haproxy.listens_at(found.files[CONFIG]) == {HEALTH, NODE_PORT}
    (event,) = publisher_haproxy.refusals(ports, taken, {("default", "web"): BALANCED})
    assert (event.reason, event.type) == ("PublishFailed", "Warning")
    assert event.message.endswith("127.0.1.2:80 is in use by another process of this machine")


def test_a_port_that_can_listen_nowhere_has_no_frontend() -> None:
    found = rendered(WEB, taken={NODE_PORT})
    assert "frontend default_web_80" not in found.files[CONFIG]
    assert publisher_haproxy.listens_at(found.files[CONFIG]) == {HEALTH}


def test_what_is_not_enforced_is_said() -> None:
    local = {**WEB, "spec": {**WEB["spec"], "externalTrafficPolicy": "Local"}}
    (event,) = publisher_haproxy.unenforced(local, "0.0.0.0")
    assert (event.reason, event.regarding) == ("NotEnforced", local)
    assert publisher_haproxy.unenforced(WEB, "0.0.0.0") == ()


def test_clients_of_this_machine_are_seen_as_such_anyway() -> None:
    local = {**WEB, "spec": {**WEB["spec"], "externalTrafficPolicy": "Local"}}
    assert publisher_haproxy.unenforced(local, "127.0.0.1") == ()


CHECKED = {
    **BALANCED,
    "spec": {**BALANCED["spec"], "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000},
}


def test_by_the_external_policy_local_only_endpoints_on_nodes_are_served() -> None:
    placed, stray = endpoint("10.1.0.2"), endpoint("10.1.0.3", node="")
    (one,) = published(CHECKED, slices=[endpoint_slice("web", placed, stray)])
    assert one.targets == (Target("10.1.0.2", 8080),)
    (one,) = published(CHECKED, slices=[endpoint_slice("web", stray)])
    assert one.targets == ()
    ending = endpoint("10.1.0.2", ready=False, serving=True, terminating=True)
    (one,) = published(CHECKED, slices=[endpoint_slice("web", ending, stray)])
    assert one.targets == (Target("10.1.0.2", 8080),)


@pytest.mark.parametrize("label", proxy_view.ELSEWHERE)
def test_what_is_left_to_another_proxy_is_neither_published_nor_vouched_for(label: str) -> None:
    left = {**CHECKED, "metadata": {**CHECKED["metadata"], "labels": {label: "other"}}}
    pieces = [endpoint_slice("web", "10.1.0.2")]
    assert published(CHECKED, slices=pieces)
    assert published(left, slices=pieces) == ()
    assert publisher_haproxy.health_checks([CHECKED], pieces, ("127.0.0.1",))
    assert publisher_haproxy.health_checks([left], pieces, ("127.0.0.1",)) == ()


def test_a_health_check_counts_the_ready_endpoints_of_the_nodes() -> None:
    entries = (
        endpoint("10.1.0.2"),
        endpoint("10.1.0.3", node="there"),
        endpoint("10.1.0.4", node=""),
        endpoint("10.1.0.5", ready=False, serving=True, terminating=True),
    )
    slices = [endpoint_slice("web", *entries)]
    checks = publisher_haproxy.health_checks([CHECKED, WEB], slices, ("127.0.0.1", "10.1.0.1"))
    (one,) = checks
    assert one.binds == (("127.0.0.1", 31000), ("10.1.0.1", 31000))
    assert [target.ip for target in one.targets] == ["10.1.0.2", "10.1.0.3"]
    found = lines(publisher_haproxy.render(checks, (), {}, PLACE))
    assert "bind 10.1.0.1:31000" in found
    assert [line.split(" content-type")[0] for line in found if "application/json" in line] == [
        "http-request return status 200",
        "http-request return status 503",
    ]
    body = (
        '{"service": {"namespace": "default", "name": "web"}, "localEndpoints": %[nbsrv(default_web_health)]'
    )
    assert sum(body in line for line in found) == 2
    without = publisher_haproxy.render(checks, set(one.binds), {}, PLACE)
    assert "frontend default_web_health" not in without.files[CONFIG]


def test_a_health_check_at_every_address_listens_once_and_ends_with_its_service() -> None:
    (one,) = publisher_haproxy.health_checks([CHECKED], [], ("0.0.0.0", "10.1.0.1"))
    assert one.binds == (("0.0.0.0", 31000),)
    gone = {**CHECKED, "metadata": {**CHECKED["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert publisher_haproxy.health_checks([gone], [], ("127.0.0.1",)) == ()


def test_a_refusal_is_about_the_service_whose_port_it_names() -> None:
    assert haproxy.culprits("proxy 'default_web_80': nonsense", rendered(WEB)) == {("default", "web")}


def test_services_for_this_machine_listen_at_localhost_with_their_own_ports() -> None:
    slices = [endpoint_slice("web", "10.1.0.2")]
    (one,) = publisher_haproxy.published([WEB], slices, "127.0.0.7", local=[("default", "web")])
    assert one.binds == (("127.0.0.1", 80),)
    assert one.targets == (Target("10.1.0.2", 8080),)


def test_node_ports_are_at_the_nodes_address_too_for_this_machine() -> None:
    slices = [endpoint_slice("web", "10.1.0.2")]
    (one,) = publisher_haproxy.published([BALANCED], slices, "127.0.0.1", node="10.1.0.1")
    assert one.binds == (NODE_PORT, ("127.0.1.2", 80), ("10.1.0.1", 30080))
    found = lines(publisher_haproxy.render([one], (), {}, PLACE))
    assert "bind 10.1.0.1:30080" in found
    assert "tcp-request connection reject if { dst 10.1.0.1 } !{ src_is_local }" in found


@pytest.mark.parametrize(
    ("address", "ports"),
    [
        ("0.0.0.0", [{"port": 80, "nodePort": 30080}]),
        ("10.1.0.1", [{"port": 80, "nodePort": 30080}]),
        ("127.0.0.1", [{"port": 80}]),
    ],
)
def test_a_node_port_that_is_at_the_nodes_address_anyway_or_is_none_is_not_added(
    address: str, ports: list[dict[str, Any]]
) -> None:
    slices = [endpoint_slice("web", "10.1.0.2")]
    status = [{"ip": "127.0.1.2"}]
    balanced = service("web", type="LoadBalancer", ports=ports, status=status)
    (one,) = publisher_haproxy.published([balanced], slices, address, node="10.1.0.1")
    assert one.node == ""
    assert one.binds == publisher_haproxy.published([balanced], slices, address)[0].binds
    assert not any(
        "{ dst 10.1.0.1 }" in line for line in lines(publisher_haproxy.render([one], (), {}, PLACE))
    )
