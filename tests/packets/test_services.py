"""The fate of packets that pods send, for each feature of Services."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from minikctl.plan import proxy, proxy_nft, proxy_view
from tests.packets.tracer import Fate, Packet, Table, Tracer
from tests.plan.proxy.cases import FACTS, endpoint, endpoint_slice, service

VIP = "10.96.0.20"


def tracer(services: list[Any], slices: list[Any], facts: proxy.Facts = FACTS) -> Tracer:
    compiled = proxy.compile_pods(services, slices, facts)
    return Tracer(Table().apply(proxy_nft.replace(compiled.ruleset)))


def reached(trace: Tracer, packet: Packet) -> set[str]:
    """Return every address to which the packet may go."""
    found = set()
    for number in range(16):
        trace.choose = lambda n, number=number: number % n  # type: ignore[misc]
        fate = trace.send(packet)
        found.add(f"{fate.address}:{fate.port}" if fate.verdict == "sent" else fate.verdict)
    return found


def test_a_connection_to_a_service_goes_to_any_of_its_endpoints() -> None:
    trace = tracer([service("web")], [endpoint_slice("web", "10.1.0.2", "10.1.0.3", "10.1.0.4")])
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.2:8080", "10.1.0.3:8080", "10.1.0.4:8080"}


def test_a_pod_reaches_itself_through_its_service() -> None:
    trace = tracer([service("web")], [endpoint_slice("web", "10.1.0.9")])
    assert reached(trace, Packet(VIP, 80, source="10.1.0.9")) == {"10.1.0.9:8080"}


@pytest.mark.parametrize(
    "packet",
    [
        Packet(VIP, 81),
        Packet(VIP, 80, "udp"),
        Packet("10.96.200.1", 80),
        Packet("10.96.200.1", 53, "udp"),
        Packet("127.0.1.77", 80),
    ],
)
def test_what_no_service_serves_is_rejected_and_never_forwarded(packet: Packet) -> None:
    trace = tracer([service("web")], [endpoint_slice("web", "10.1.0.2")])
    assert reached(trace, packet) == {"rejected"}


def test_a_service_without_endpoints_rejects_at_all_its_addresses() -> None:
    web = service(
        "web",
        type="LoadBalancer",
        ports=[{"port": 80, "nodePort": 30080}],
        externalIPs=["192.0.2.1"],
        status=[{"ip": "127.0.1.5"}],
    )
    trace = tracer([web], [endpoint_slice("web")])
    for packet in (
        Packet(VIP, 80),
        Packet("10.1.0.1", 30080),
        Packet("192.0.2.1", 80),
        Packet("127.0.1.5", 80),
    ):
        assert reached(trace, packet) == {"rejected"}


def test_a_load_balancer_service_answers_at_all_its_addresses() -> None:
    web = service(
        "web",
        type="LoadBalancer",
        ports=[{"port": 80, "nodePort": 30080}],
        externalIPs=["192.0.2.1", "2001:db8::1"],
        status=[{"ip": "127.0.1.5"}, {"ip": "127.0.1.6", "ipMode": "Proxy"}, {"hostname": "web.example"}],
    )
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2")])
    for packet in (
        Packet(VIP, 80),
        Packet("10.1.0.1", 30080),
        Packet("192.0.2.1", 80),
        Packet("127.0.1.5", 80),
    ):
        assert reached(trace, packet) == {"10.1.0.2:8080"}
    assert reached(trace, Packet("127.0.1.6", 80)) == {"rejected"}


def test_source_ranges_guard_the_load_balancer_address_alone() -> None:
    web = service(
        "web",
        type="LoadBalancer",
        ports=[{"port": 80, "nodePort": 30080}],
        externalIPs=["192.0.2.1"],
        loadBalancerSourceRanges=["10.1.0.0/29", " 10.1.0.4/30"],
        status=[{"ip": "127.0.1.5"}],
    )
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2")])
    near, far = "10.1.0.3", "10.1.0.9"
    assert reached(trace, Packet("127.0.1.5", 80, source=near)) == {"10.1.0.2:8080"}
    assert reached(trace, Packet("127.0.1.5", 80, source=far)) == {"dropped"}
    for packet in (Packet(VIP, 80), Packet("10.1.0.1", 30080), Packet("192.0.2.1", 80)):
        assert reached(trace, packet) == {"10.1.0.2:8080"}
    assert reached(tracer([web], [endpoint_slice("web")]), Packet("127.0.1.5", 80)) == {"rejected"}


def test_source_ranges_of_another_family_let_nobody_in() -> None:
    ranges: dict[str, Any] = {"loadBalancerSourceRanges": ["2001:db8::/32"]}
    web = service("web", type="LoadBalancer", status=[{"ip": "127.0.1.5"}], **ranges)
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2")])
    assert reached(trace, Packet("127.0.1.5", 80)) == {"dropped"}


def test_a_cluster_ip_service_has_no_node_port() -> None:
    web = service("web", type="ClusterIP", ports=[{"port": 80, "nodePort": 30080}])
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2")])
    assert reached(trace, Packet("10.1.0.1", 30080)) == {"10.1.0.1:30080"}


def test_ports_are_told_apart_by_name_and_protocol() -> None:
    web = service(
        "web",
        ports=[
            {"name": "http", "port": 80, "protocol": "TCP"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            {"name": "lost", "port": 99, "protocol": "TCP"},
        ],
    )
    ports = [
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "dns", "port": 5353, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 5354, "protocol": "TCP"},
        {"name": "lost", "port": 99, "protocol": "UDP"},
    ]
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2", ports=ports)])
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.2:8080"}
    assert reached(trace, Packet(VIP, 53, "udp")) == {"10.1.0.2:5353"}
    assert reached(trace, Packet(VIP, 53)) == {"10.1.0.2:5354"}
    assert reached(trace, Packet(VIP, 99)) == {"rejected"}


def test_sctp_is_served_where_it_is_wanted_beside_others_of_the_same_number() -> None:
    protocols = {"tcp": 5001, "udp": 5002, "sctp": 5003}
    ports = [{"name": one, "port": 70, "nodePort": 30070, "protocol": one.upper()} for one in protocols]
    web = service(
        "web", type="LoadBalancer", ports=ports, status=[{"ip": "127.0.1.5"}], externalIPs=["192.0.2.7"]
    )
    targets = [{**port, "port": protocols[port["name"]]} for port in ports]
    facts = dataclasses.replace(FACTS, node_addresses=("10.1.0.1",))
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2", "10.1.0.3", ports=targets)], facts)
    for address, port in ((VIP, 70), ("127.0.1.5", 70), ("192.0.2.7", 70), ("10.1.0.1", 30070)):
        for protocol, target in protocols.items():
            wanted = {f"10.1.0.2:{target}", f"10.1.0.3:{target}"}
            assert reached(trace, Packet(address, port, protocol)) == wanted
    assert reached(trace, Packet(VIP, 71, "sctp")) == {"rejected"}


def test_only_ready_endpoints_get_traffic() -> None:
    piece = endpoint_slice(
        "web", endpoint("10.1.0.2", ready=False), endpoint("10.1.0.3", ready=True), {"addresses": []}
    )
    assert reached(tracer([service("web")], [piece]), Packet(VIP, 80)) == {"10.1.0.3:8080"}


def test_terminating_endpoints_serve_while_no_other_is_ready() -> None:
    piece = endpoint_slice(
        "web",
        endpoint("10.1.0.2", ready=False, serving=True, terminating=True),
        endpoint("10.1.0.3", ready=False, serving=False, terminating=True),
    )
    assert reached(tracer([service("web")], [piece]), Packet(VIP, 80)) == {"10.1.0.2:8080"}


def test_endpoints_of_several_slices_are_one_set() -> None:
    slices = [
        endpoint_slice("web", "10.1.0.2", "10.1.0.3"),
        endpoint_slice("web", "10.1.0.3", "10.1.0.4", suffix="2"),
        endpoint_slice("web", "2001:db8::1", suffix="3", addressType="IPv6"),
        {"metadata": {"namespace": "default", "name": "stray"}},
    ]
    trace = tracer([service("web")], slices)
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.2:8080", "10.1.0.3:8080", "10.1.0.4:8080"}


OURS = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}


def kept(*ports: Any, labels: Any = OURS) -> Any:
    """Return a slice that the controller keeps."""
    piece = endpoint_slice("web", "10.1.0.2", ports=[{"protocol": "TCP", **port} for port in ports])
    piece["metadata"]["labels"] |= labels
    return piece


@pytest.mark.parametrize(
    ("ports", "piece", "wanted"),
    [
        pytest.param([("b", 8080)], kept({"name": "a", "port": 8080}), "10.1.0.2:8080", id="renamed"),
        pytest.param([("b", 8080)], kept({"port": 8080}), "10.1.0.2:8080", id="named"),
        pytest.param([("", 8080)], kept({"name": "a", "port": 8080}), "10.1.0.2:8080", id="no name any more"),
        pytest.param([("b", "http")], kept({"name": "a", "port": 8080}), "10.1.0.2:8080", id="by name"),
        pytest.param(
            [("b", 9090)], kept({"name": "a", "port": 8080}), "10.1.0.2:8080", id="renamed and led elsewhere"
        ),
        pytest.param(
            [("b", 8080), ("c", 9090)],
            kept({"name": "x", "port": 9090}, {"name": "y", "port": 8080}),
            "10.1.0.2:8080",
            id="two at once, by their numbers",
        ),
        pytest.param(
            [("b", "http"), ("c", "admin")],
            kept({"name": "x", "port": 9090}, {"name": "y", "port": 8080}),
            "rejected",
            id="two at once, nobody knows which",
        ),
        pytest.param(
            [("b", 8080), ("a", 9090)], kept({"name": "a", "port": 9090}), "rejected", id="a port more"
        ),
        pytest.param(
            [("b", 8080)], kept({"name": "a", "port": 8080, "protocol": "UDP"}), "rejected", id="protocol"
        ),
        pytest.param(
            [("b", 8080)], kept({"name": "a", "port": 8080}, labels={}), "rejected", id="another's slice"
        ),
    ],
)
def test_a_renamed_port_is_served_while_the_slices_are_to_follow(ports: Any, piece: Any, wanted: str) -> None:
    listed = [
        {"name": name, "port": 80 + at, "protocol": "TCP", "targetPort": target}
        for at, (name, target) in enumerate(ports)
    ]
    web = service("web", ports=listed, selector={"app": "web"})
    assert reached(tracer([web], [piece]), Packet(VIP, 80)) == {wanted}
    if wanted != "rejected" and len(ports) == 1:
        bare = service("web", ports=listed)  # without a selector nobody follows
        assert reached(tracer([bare], [piece]), Packet(VIP, 80)) == {"rejected"}


def test_a_client_keeps_its_endpoint() -> None:
    web = service("web", sessionAffinity="ClientIP")
    trace = tracer([web], [endpoint_slice("web", "10.1.0.2", "10.1.0.3", "10.1.0.4")])
    trace.choose = lambda _: 2
    assert trace.send(Packet(VIP, 80)).address == "10.1.0.4"
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.4:8080"}
    assert len(reached(trace, Packet(VIP, 80, source="10.1.0.10"))) == 1


def test_the_internal_policy_local_keeps_traffic_on_the_node() -> None:
    web = service(
        "web", internalTrafficPolicy="Local", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]
    )
    piece = endpoint_slice("web", endpoint("10.1.0.2"), endpoint("10.1.0.3", node="there"))
    trace = tracer([web], [piece])
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.2:8080"}
    assert reached(trace, Packet("10.1.0.1", 30080)) == {"10.1.0.2:8080", "10.1.0.3:8080"}
    away = endpoint_slice("web", endpoint("10.1.0.3", node="there"))
    assert reached(tracer([web], [away]), Packet(VIP, 80)) == {"dropped"}
    assert reached(tracer([web], [endpoint_slice("web")]), Packet(VIP, 80)) == {"rejected"}
    here = endpoint_slice("web", endpoint("10.1.0.2"))
    assert reached(tracer([web], [here]), Packet(VIP, 80)) == {"10.1.0.2:8080"}


def hinted(ip: str, node: str, zone: str = "", **conditions: bool) -> Any:
    hints = {"forNodes": [{"name": node}]} if node else {}
    hints |= {"forZones": [{"name": zone}]} if zone else {}
    return {**endpoint(ip), "conditions": conditions, "hints": hints}


@pytest.mark.parametrize(
    ("endpoints", "reaches"),
    [
        ((hinted("10.1.0.2", "here"), hinted("10.1.0.3", "there")), "2"),
        ((hinted("10.1.0.2", "", "a"), hinted("10.1.0.3", "", "b")), "2"),
        ((hinted("10.1.0.2", "there", "a"), hinted("10.1.0.3", "there", "b")), "2"),
        ((hinted("10.1.0.2", "there", "c"), hinted("10.1.0.3", "there", "b")), "23"),
        ((hinted("10.1.0.2", "here", "a"), hinted("10.1.0.3", "")), "23"),
        ((hinted("10.1.0.2", "here", "a"), endpoint("10.1.0.3", ready=False)), "2"),
        ((hinted("10.1.0.2", "here", ready=False), hinted("10.1.0.3", "there")), "3"),
        ((hinted("10.1.0.2", "there", ready=False, serving=True, terminating=True),), "2"),
    ],
)
def test_traffic_stays_close_if_hints_of_all_ready_endpoints_say_so(endpoints: Any, reaches: str) -> None:
    spot = proxy_view.Spot("here", "a")
    facts = dataclasses.replace(FACTS, spot=spot)
    trace = tracer([service("web")], [endpoint_slice("web", *endpoints)], facts)
    assert reached(trace, Packet(VIP, 80)) == {f"10.1.0.{number}:8080" for number in reaches}


def test_what_depends_on_the_node_is_known() -> None:
    plain, close = endpoint_slice("web", "10.1.0.2"), endpoint_slice("web", hinted("10.1.0.2", "here"))
    local = service("web", internalTrafficPolicy="Local")
    assert not proxy_view.depends_on_spot([service("web")], [plain])
    assert proxy_view.depends_on_spot([service("web")], [close])
    assert proxy_view.depends_on_spot([local], [])


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"type": "ExternalName", "clusterIP": ""}])
def test_headless_and_external_services_leave_no_rules(spec: Any) -> None:
    compiled = proxy.compile_pods([service("web", **spec)], [endpoint_slice("web", "10.1.0.2")], FACTS)
    assert compiled == proxy.compile_pods([], [], FACTS)


def service_of(number: int) -> Any:
    return service(f"web-{number}", f"10.96.{number // 250}.{number % 250 + 1}")


@pytest.mark.parametrize("label", proxy_view.ELSEWHERE)
def test_what_is_left_to_another_proxy_has_no_rules(label: str) -> None:
    left = service("web")
    left["metadata"]["labels"] = {label: "other"}
    assert reached(tracer([left], [endpoint_slice("web", "10.1.0.2")]), Packet(VIP, 80)) == {"rejected"}


def test_the_cost_does_not_depend_on_the_number_of_services() -> None:
    slices = [endpoint_slice(f"web-{number}", "10.1.0.2") for number in range(600)]
    one = tracer([service_of(7)], slices).send(Packet("10.96.0.8", 80))
    many = tracer([service_of(number) for number in range(600)], slices).send(Packet("10.96.0.8", 80))
    assert one == many == Fate("sent", "10.1.0.2", 8080, chains=4)


@pytest.mark.parametrize(
    ("packet", "fate"),
    [
        (Packet("10.1.3.4", 80), "sent"),
        (Packet("10.1.0.1", 80), "sent"),
        (Packet("127.0.0.1", 80), "sent"),
        (Packet("127.0.0.11", 53, "udp"), "sent"),
        (Packet("10.1.16.1", 80), "rejected"),
        (Packet("192.0.2.1", 443), "rejected"),
    ],
)
def test_without_egress_nothing_leaves_the_cluster(packet: Packet, fate: str) -> None:
    closed = dataclasses.replace(FACTS, egress=False)
    assert tracer([], [], closed).send(packet).verdict == fate
    assert tracer([], [], FACTS).send(packet).verdict == "sent"


def test_without_egress_services_still_work() -> None:
    closed = dataclasses.replace(FACTS, egress=False)
    trace = tracer([service("web")], [endpoint_slice("web", "10.1.0.2")], closed)
    assert reached(trace, Packet(VIP, 80)) == {"10.1.0.2:8080"}
