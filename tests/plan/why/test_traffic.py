"""What traffic policies make of a Service's endpoints, as ``why`` tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from minikctl.plan.why import links, service
from minikctl.plan.why.links import Link, State, View
from tests.plan.proxy import cases
from tests.plan.why.test_why import GOOD, VIEW, pod, verdict

NODES = [
    {"metadata": {"name": "here", "labels": {"topology.kubernetes.io/zone": "a"}}},
    {"metadata": {"name": "there", "labels": {"topology.kubernetes.io/zone": "b"}}},
]
CLIENT = pod("client", "10.1.0.8")
PLACED = replace(VIEW, nodes=NODES, pods=[*VIEW.pods, CLIENT])
AWAY = cases.endpoint_slice("web", cases.endpoint("10.1.0.2", node="there"))


def web(**spec: Any) -> Any:
    return cases.service("web", selector={"app": "web"}, **spec)


def walked(obj: Any, view: View, name: str) -> Link:
    (found,) = (link for link in service.walk(obj, view) if link.name == name)
    return found


def test_the_internal_policy_is_judged_from_the_clients_node() -> None:
    local = web(internalTrafficPolicy="Local")
    found = walked(local, PLACED, "internal")
    assert found == links.holds(
        "internal", "internalTrafficPolicy: Local: default/client on node here is led to 10.1.0.2"
    )
    assert walked(local, PLACED, "rules").state is State.HOLDS
    without = replace(PLACED, slices=[AWAY], facts=replace(GOOD, rules="chain x"))
    name, words = verdict(service.walk(local, without))
    assert name == "internal"
    assert words == (
        "internalTrafficPolicy: Local: what default/client on node here sends is dropped,"
        " since its node has no endpoint; there are some on there"
    )
    assert walked(local, replace(without, facts=GOOD), "rules").state is State.BROKEN


def test_ending_endpoints_elsewhere_are_on_no_node_that_counts() -> None:
    ending = cases.endpoint("10.1.0.2", node="there", ready=False, serving=True, terminating=True)
    view = replace(PLACED, slices=[cases.endpoint_slice("web", ending)])
    assert "there are some on no node" in walked(web(internalTrafficPolicy="Local"), view, "internal").words


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("a", "trafficDistribution: PreferClose: default/client on node here is led to 10.1.0.2"),
        (
            "b",
            "trafficDistribution: PreferClose: default/client on node here is led to 10.1.0.2, 10.1.0.3, as to all of them",
        ),
    ],
)
def test_who_is_close_is_told(zone: str, words: str) -> None:
    near, far = cases.endpoint("10.1.0.2"), cases.endpoint("10.1.0.3", node="there")
    near["hints"], far["hints"] = {"forZones": [{"name": zone}]}, {"forZones": [{"name": "b"}]}
    view = replace(PLACED, slices=[cases.endpoint_slice("web", near, far)])
    assert walked(web(trafficDistribution="PreferClose"), view, "internal").words == words


def test_of_a_client_whose_node_is_not_known_nothing_is_said() -> None:
    assert not [link for link in service.walk(web(), PLACED) if link.name == "internal"]
    found = service.walk(
        web(internalTrafficPolicy="Local"), replace(VIEW, facts=replace(GOOD, rules="chain x"))
    )
    assert not [link for link in found if link.name == "internal"]
    assert verdict(found) == ("", "")


def test_the_external_policy_needs_endpoints_on_nodes() -> None:
    local = web(externalTrafficPolicy="Local", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    assert walked(local, VIEW, "external").words == (
        "externalTrafficPolicy: Local: from outside to endpoints on here"
    )
    stray = cases.endpoint("10.1.0.2", node="")
    name, words = verdict(service.walk(local, replace(VIEW, slices=[cases.endpoint_slice("web", stray)])))
    assert name == "external"
    assert "no endpoint is on a node, so clients from outside the cluster are refused" in words
    inner = web(externalTrafficPolicy="Local", externalIPs=["192.0.2.1"])
    assert not [link for link in service.walk(inner, VIEW) if link.name == "external"]


def test_source_ranges_are_judged_for_the_client_or_for_this_machine() -> None:
    ranges: dict[str, Any] = {"loadBalancerSourceRanges": ["10.1.0.8/32"]}
    balanced = web(type="LoadBalancer", status=[{"ip": "127.0.1.2"}], **ranges)
    found = walked(balanced, replace(VIEW, client=CLIENT), "sources")
    assert (found.state, found.words) == (
        State.HOLDS,
        "loadBalancerSourceRanges: default/client (10.1.0.8) is in 10.1.0.8/32 and may use 127.0.1.2",
    )
    other = replace(VIEW, client=pod("other", "10.1.0.9"))
    assert verdict(service.walk(balanced, other)) == (
        "sources",
        "loadBalancerSourceRanges: default/other (10.1.0.9) is not in 10.1.0.8/32 and may not use 127.0.1.2",
    )
    assert walked(balanced, VIEW, "sources").state is State.NOTE
    assert walked(balanced, replace(VIEW, slices=[]), "sources").state is State.NOTE
    waiting = web(type="LoadBalancer", **ranges)
    assert not [link for link in service.walk(waiting, VIEW) if link.name == "sources"]


def test_a_client_in_the_hosts_network_has_no_services() -> None:
    host = replace(VIEW, client=pod("agent", "10.1.0.1", hostNetwork=True))
    name, words = verdict(service.walk(web(), host))
    assert (name, words) == (
        "client",
        "default/agent is in the host's network, where cluster addresses lead nowhere",
    )


def told(reason: str, message: str, at: str) -> Any:
    regarding = {"uid": "uid-web"}
    return {"involvedObject": regarding, "reason": reason, "message": message, "lastTimestamp": at}


FAILED = told("PublishFailed", "127.0.0.1:30080 is in use by another process", "2026-01-01T00:00:05Z")


def test_ports_that_this_machine_did_not_get_are_told_until_it_gets_them() -> None:
    outer = web(type="NodePort")
    outer["metadata"]["uid"] = "uid-web"
    view = replace(VIEW, events=[FAILED])
    assert verdict(service.walk(outer, view)) == ("published", FAILED["message"])
    assert walked(outer, replace(view, client=CLIENT), "published").state is State.NOTE
    later = told("Published", "the Service's ports are published", "2026-01-01T00:00:09Z")
    assert verdict(service.walk(outer, replace(view, events=[later, FAILED]))) == ("", "")
    inner = {**outer, "spec": {**outer["spec"], "type": "ClusterIP"}}
    assert verdict(service.walk(inner, view)) == ("", "")


def test_ports_that_nobody_answers_at_are_broken_whatever_was_told() -> None:
    outer = web(type="NodePort")
    outer["metadata"]["uid"] = "uid-web"
    met = {("127.0.0.1", 30080): "", ("127.0.0.1", 30081): "Connection refused"}
    said = "nobody answers on this machine at 127.0.0.1:30081 (Connection refused)"
    view = replace(VIEW, facts=replace(GOOD, machine=met))
    assert verdict(service.walk(outer, view)) == ("published", said)
    assert verdict(service.walk(outer, replace(VIEW, facts=replace(GOOD, machine={})))) == ("", "")
    # who listens may be somebody else: what was told last counts
    view = replace(VIEW, facts=replace(GOOD, machine={("127.0.0.1", 30080): ""}), events=[FAILED])
    assert verdict(service.walk(outer, view)) == ("published", FAILED["message"])


def test_sctp_that_this_machine_cannot_publish_is_a_note_for_as_long_as_there_is_such_a_port() -> None:
    lost = told("NotPublished", "SCTP is not published at 127.0.0.1:30038", "2026-01-01T00:00:05Z")
    outer = web(type="NodePort")
    outer["metadata"]["uid"] = "uid-web"
    view = replace(VIEW, events=[lost])
    assert not [link for link in service.walk(outer, view) if link.name == "published"]
    outer["spec"]["ports"] = [*outer["spec"]["ports"], {"name": "s", "port": 38, "protocol": "SCTP"}]
    found = walked(outer, view, "published")
    assert (found.state, found.words) == (State.NOTE, lost["message"])
