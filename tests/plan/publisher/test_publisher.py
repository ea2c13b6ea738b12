"""Publishers: which ports, which container, which rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minikctl.model.actions import api, network
from minikctl.model.containers import Container, PortBinding
from minikctl.plan import proxy_nft, proxy_view, publisher
from tests.packets.tracer import Packet, Table, Tracer
from tests.plan.proxy.cases import endpoint, endpoint_slice, service

PLACE = publisher.Place("test", "minikctl-test", "infra", "127.0.0.1", (("minikctl.dev/role", "publisher"),))
WEB = service("web", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])


def running(spec: Any, status: Any = "running", ip: str = "10.1.0.7") -> Container:
    return Container("c1", spec.name, spec.labels, "infra", "", status, ip=ip)


def plan(found: Any, *containers: Container) -> list[Any]:
    view = publisher.View(("default", "web"), found, containers, PLACE)
    return list(publisher.desired(view).actions)


def made(found: Any) -> Any:
    return next(action.spec for action in plan(found) if isinstance(action, network.RunPublisher))


def test_a_node_port_is_published_on_the_clusters_address() -> None:
    spec = made(WEB)
    assert spec.ports == (PortBinding(80, "tcp", "127.0.0.1", 30080),)
    assert spec.network == "minikctl-test"
    assert spec.labels["minikctl.dev/role"] == "publisher"
    assert spec.labels["minikctl.dev/service-name"] == "web"
    assert ("net.ipv4.ip_forward", "1") in spec.sysctls


def test_a_load_balancer_is_published_at_its_address_too() -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]
    spec = made(service("web", type="LoadBalancer", ports=ports, status=[{"ip": "127.0.1.2"}]))
    assert spec.ports == (
        PortBinding(80, "tcp", "127.0.0.1", 30080),
        PortBinding(80, "tcp", "127.0.1.2", 80),
        PortBinding(53, "udp", "127.0.1.2", 53),
    )


def test_of_a_load_balancer_of_another_class_only_the_node_ports_are_published() -> None:
    ports = [{"port": 80, "nodePort": 30080}]
    spec = made(
        service(
            "web", type="LoadBalancer", ports=ports, loadBalancerClass="x/y", status=[{"ip": "192.0.2.7"}]
        )
    )
    assert spec.ports == (PortBinding(80, "tcp", "127.0.0.1", 30080),)


MIXED = service(
    "web",
    type="NodePort",
    ports=[
        {"port": 53, "protocol": "UDP", "nodePort": 30053},
        {"port": 38, "protocol": "SCTP", "nodePort": 30038},
    ],
)


def test_sctp_is_left_out_and_told_where_it_cannot_be_published() -> None:
    lacking = publisher.View(("default", "web"), MIXED, (), PLACE, no_sctp=True)
    run, event = publisher.desired(lacking).actions
    assert isinstance(run, network.RunPublisher)
    assert run.spec.ports == (PortBinding(53, "udp", "127.0.0.1", 30053),)
    assert isinstance(event, api.RecordEvent)
    assert (event.reason, event.message) == (
        "NotPublished",
        "SCTP is not published at 127.0.0.1:30038: the kernel of the engine's machine has no SCTP sockets; "
        "pods reach the Service all the same",
    )
    full = made(MIXED)
    assert full.publishes_sctp
    assert not run.spec.publishes_sctp
    # A control plane that does not know yet keeps the publisher, and with it the ports of UDP.
    assert full.labels == run.spec.labels


@pytest.mark.parametrize(
    ("known", "had", "replaced"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_a_publisher_without_its_sctp_is_replaced_once_the_kernel_has_it(
    known: bool, had: bool, replaced: bool
) -> None:
    spec = made(MIXED)
    ports = tuple(port for port in spec.ports if had or port.protocol != "sctp")
    there = dataclasses.replace(running(spec), ports=ports)
    view = publisher.View(("default", "web"), MIXED, (there,), PLACE, sctp=known)
    actions = publisher.desired(view).actions
    assert [type(action) for action in actions] == (
        [network.RemovePublisher, network.RunPublisher] if replaced else []
    )


def test_a_service_of_sctp_alone_has_no_publisher_where_it_cannot_be_published() -> None:
    only = service("web", type="NodePort", ports=[{"port": 38, "protocol": "SCTP", "nodePort": 30038}])
    lacking = publisher.View(("default", "web"), only, (), PLACE, no_sctp=True)
    (event,) = publisher.desired(lacking).actions
    assert isinstance(event, api.RecordEvent)
    assert event.reason == "NotPublished"


def test_only_protocols_that_are_its_own_are_published() -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]
    place = dataclasses.replace(PLACE, protocols=publisher.OTHERS)
    found = publisher.desired(
        publisher.View(("default", "web"), service("web", type="NodePort", ports=ports), (), place)
    )
    (run,) = found.actions
    assert isinstance(run, network.RunPublisher)
    assert run.spec.ports == (PortBinding(53, "udp", "127.0.0.1", 30053),)
    tcp = publisher.View(("default", "web"), WEB, (), place)
    assert publisher.desired(tcp).actions == ()


def test_a_load_balancer_waits_for_its_address() -> None:
    assert plan(service("web", type="LoadBalancer", ports=[{"port": 80, "nodePort": 30080}])) == []


def test_a_running_publisher_with_the_right_ports_is_left_alone() -> None:
    assert plan(WEB, running(made(WEB))) == []


@pytest.mark.parametrize("status", ["exited", "created", "dead"])
def test_one_that_does_not_run_is_replaced(status: str) -> None:
    actions = plan(WEB, running(made(WEB), status))
    assert [type(action) for action in actions] == [network.RemovePublisher, network.RunPublisher]


def test_other_ports_mean_another_container() -> None:
    other = service("web", type="NodePort", ports=[{"port": 80, "nodePort": 30081}])
    actions = plan(other, running(made(WEB)))
    assert actions[0] == network.RemovePublisher("c1")
    assert actions[1].spec.ports[0].host_port == 30081
    assert actions[1].spec.name != made(WEB).name


@pytest.mark.parametrize(
    "found", [None, service("web"), {**WEB, "metadata": {**WEB["metadata"], "deletionTimestamp": "x"}}]
)
def test_without_ports_there_is_no_publisher(found: Any) -> None:
    assert plan(found, running(made(WEB))) == [network.RemovePublisher("c1")]
    assert plan(found) == []


def test_of_two_equal_publishers_one_goes() -> None:
    first, second = running(made(WEB)), dataclasses.replace(running(made(WEB)), id="c2")
    assert plan(WEB, first, second) == [network.RemovePublisher("c2")]


def test_a_publisher_that_is_off_the_network_is_replaced() -> None:
    gone, made_anew = plan(WEB, running(made(WEB), ip=""))
    assert gone == network.RemovePublisher("c1")
    assert made_anew.spec == made(WEB)


def test_what_is_not_enforced_is_said() -> None:
    wishes = service(
        "web",
        type="NodePort",
        ports=[{"port": 80, "nodePort": 30080}],
        externalTrafficPolicy="Local",
        loadBalancerSourceRanges=["192.0.2.0/24"],
        healthCheckNodePort=31000,
    )
    events = [action for action in plan(wishes) if isinstance(action, api.RecordEvent)]
    assert {event.reason for event in events} == {"NotEnforced"}
    words = ("externalTrafficPolicy", "healthCheckNodePort", "loadBalancerSourceRanges")
    assert [event.message.split()[0].rstrip(":") for event in events] == [*words]
    assert [
        event.message.split()[0].rstrip(":") for event in publisher.unenforced(wishes, publisher.OTHERS)
    ] == [
        words[0],
        words[2],
    ]


def test_endpoints_on_no_node_get_nothing_from_outside_by_the_policy_local() -> None:
    local = service(
        "web", type="NodePort", externalTrafficPolicy="Local", ports=[{"port": 80, "nodePort": 30080}]
    )
    piece = endpoint_slice("web", endpoint("10.1.0.2"), endpoint("10.1.0.3", node=""))
    assert tracer(local, piece).forward(Packet("10.1.0.5", 80, source="10.1.0.1")).address == "10.1.0.2"


def test_a_taken_port_is_told_in_the_engines_words() -> None:
    words = f"driver failed on endpoint mk_web_{'x' * 8} ({'ab' * 32}): Bind for 127.0.0.1:30080 failed"
    event = publisher.taken(WEB, words)
    assert event.type == "Warning"
    assert event.message.endswith("driver failed: Bind for 127.0.0.1:30080 failed")


def tracer(found: Any, *slices: Any) -> Tracer:
    compiled = publisher.compile_rules(found, slices)
    return Tracer(Table().apply(proxy_nft.replace(compiled.ruleset)), lambda n: n - 1)


def test_published_ports_are_forwarded_to_endpoints() -> None:
    trace = tracer(WEB, endpoint_slice("web", "10.1.0.2", "10.1.0.3"), endpoint_slice("other", "10.1.0.9"))
    fate = trace.forward(Packet("10.1.0.5", 80, source="10.1.0.1"))
    assert (fate.verdict, fate.address, fate.port) == ("sent", "10.1.0.3", 8080)


def test_nothing_else_is_forwarded() -> None:
    trace = tracer(WEB, endpoint_slice("web", "10.1.0.2"))
    assert trace.forward(Packet("192.0.2.1", 99)).verdict == "rejected"
    assert tracer(WEB).forward(Packet("10.1.0.5", 80)).verdict == "rejected"
    assert tracer(None).forward(Packet("10.1.0.5", 80)).verdict == "rejected"


def test_udp_flows_of_a_publisher_are_forgotten_whatever_its_address() -> None:
    ports = [{"port": 53, "protocol": "UDP", "nodePort": 30053}]
    found = service("dns", type="NodePort", ports=ports)
    old = publisher.compile_rules(found, [endpoint_slice("dns", "10.1.0.2", ports=ports)])
    new = publisher.compile_rules(found, [endpoint_slice("dns", "10.1.0.3", ports=ports)])
    ((_, _, words),) = proxy_nft.purge_commands(old, new)
    assert "conntrack -D -p udp --orig-port-dst 53 --reply-src 10.1.0.2 --reply-port-src 53" in words
    ((_, _, words),) = proxy_nft.purge_commands(publisher.compile_rules(found, []), new)
    assert words.startswith("{ conntrack -D -p udp --orig-port-dst 53; }")
    ((_, _, words),) = proxy_nft.stray_commands(new)
    assert words.startswith("{ conntrack -D -p udp --orig-port-dst 53; }")


@pytest.mark.parametrize("label", proxy_view.ELSEWHERE)
def test_what_is_left_to_another_proxy_is_not_published(label: str) -> None:
    found = {**WEB, "metadata": {**WEB["metadata"], "labels": {label: ""}}}
    assert publisher.bindings(WEB, "127.0.0.1", publisher.ALL)
    assert publisher.bindings(found, "127.0.0.1", publisher.ALL) == ()
    assert publisher.compile_rules(found, [endpoint_slice("web", "10.1.0.2")]).ruleset.maps["ports"] == {}


def test_affinity_is_kept_by_the_publisher() -> None:
    sticky = service(
        "web", type="NodePort", ports=[{"port": 80, "nodePort": 30080}], sessionAffinity="ClientIP"
    )
    trace = tracer(sticky, endpoint_slice("web", "10.1.0.2", "10.1.0.3"))
    packet = Packet("10.1.0.5", 80, source="10.1.0.1")
    first = trace.forward(packet).address
    trace.choose = lambda _: 0
    assert trace.forward(packet).address == first


def test_what_was_told_last_says_which_services_fail() -> None:
    def told(uid: str, reason: str, at: str, name: str = "a") -> Any:
        meta = {"name": name}
        return {"metadata": meta, "involvedObject": {"uid": uid}, "reason": reason, "lastTimestamp": at}

    events = [
        told("web", "Published", "2026-01-01T00:00:09Z"),
        told("web", "PublishFailed", "2026-01-01T00:00:05Z"),
        told("api", "PublishFailed", "2026-01-01T00:00:08Z"),
        told("api", "Published", "2026-01-01T00:00:07Z"),
        told("api", "NotEnforced", "2026-01-01T00:00:09Z"),
        told("one", "Published", "2026-01-01T00:00:07Z", "b"),
        told("one", "PublishFailed", "2026-01-01T00:00:07Z"),
    ]
    assert publisher.failing(events) == {"api"}


def test_ports_that_a_rootless_engine_cannot_publish_are_left_out_and_told() -> None:
    ports = [{"port": 80, "nodePort": 30080}, {"port": 8080, "nodePort": 30081}]
    found = service("web", type="LoadBalancer", ports=ports, status=[{"ip": "127.0.1.2"}])
    place = dataclasses.replace(PLACE, lowest_port=1024)
    held = frozenset({("tcp", 8080)})
    view = publisher.View(("default", "web"), found, (), place, held=held)
    run, low, taken = publisher.desired(view).actions
    assert isinstance(run, network.RunPublisher)
    assert [port.host_port for port in run.spec.ports] == [30080, 30081]
    assert isinstance(low, api.RecordEvent)
    assert isinstance(taken, api.RecordEvent)
    assert low.reason == taken.reason == publisher.NOT_PUBLISHED
    assert low.message.startswith(
        "127.0.1.2:80 is not published: this rootless engine may not publish ports below 1024"
    )
    assert taken.message.startswith(
        "127.0.1.2:8080 is not published: another Service, or Ingress, has the port"
    )
    kept = dataclasses.replace(view, publishers=(running(run.spec),))
    assert publisher.desired(kept).actions == ()


def test_a_service_without_a_port_that_can_be_published_is_told_so() -> None:
    found = service("web", type="LoadBalancer", ports=[{"port": 80}], status=[{"ip": "127.0.1.2"}])
    view = publisher.View(("default", "web"), found, (), dataclasses.replace(PLACE, lowest_port=1024))
    (told,) = publisher.desired(view).actions
    assert isinstance(told, api.RecordEvent)


def test_a_port_belongs_to_the_oldest_service_that_publishes_it() -> None:
    def made_at(name: str, moment: str, address: str) -> Any:
        found = service(name, type="LoadBalancer", ports=[{"port": 8080}], status=[{"ip": address}])
        return {**found, "metadata": {**found["metadata"], "creationTimestamp": moment}}

    old = made_at("old", "2026-01-01T00:00:00Z", "127.0.1.2")
    new = made_at("new", "2026-01-02T00:00:00Z", "127.0.1.3")
    assert publisher.held_by_others(old, (old, new), PLACE) == frozenset()
    assert publisher.held_by_others(new, (old, new), PLACE) == frozenset({("tcp", 8080)})
