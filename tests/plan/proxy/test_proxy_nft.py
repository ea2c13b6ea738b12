"""Transactions: each way from one state to another ends in the same table."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from minikctl.plan import proxy, proxy_nft
from tests.packets.tracer import Table
from tests.plan.proxy.cases import FACTS, endpoint, endpoint_slice, service

UDP = [{"port": 53, "protocol": "UDP"}]


def compiled(*parts: Any) -> proxy.Compiled:
    services = [part for part in parts if "spec" in part]
    return proxy.compile_pods(services, [part for part in parts if "spec" not in part], FACTS)


STATES = {
    "nothing": compiled(),
    "one": compiled(service("a"), endpoint_slice("a", "10.1.0.2")),
    "more endpoints": compiled(service("a"), endpoint_slice("a", "10.1.0.2", "10.1.0.3")),
    "no endpoints": compiled(service("a"), endpoint_slice("a")),
    "another": compiled(service("b", "10.96.0.21"), endpoint_slice("b", "10.1.0.2")),
    "same address, other name": compiled(service("c"), endpoint_slice("c", "10.1.0.2")),
    "sticky": compiled(service("a", sessionAffinity="ClientIP"), endpoint_slice("a", "10.1.0.2", "10.1.0.3")),
    "sticky for a minute": compiled(
        service("a", sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 60}}),
        endpoint_slice("a", "10.1.0.3"),
    ),
    "many": compiled(
        *(service(f"s{n}", f"10.96.1.{n}") for n in range(40)),
        *(endpoint_slice(f"s{n}", "10.1.0.2") for n in range(0, 40, 2)),
    ),
}


def table(*texts: str) -> Table:
    found = Table()
    for text in texts:
        found.apply(text)
    return found


@pytest.mark.parametrize(("old", "new"), list(itertools.permutations(STATES, 2)))
def test_a_delta_leads_to_the_same_table_as_a_replacement(old: str, new: str) -> None:
    before, after = STATES[old].ruleset, STATES[new].ruleset
    found = table(proxy_nft.replace(before), proxy_nft.delta(before, after))
    found.apply(proxy_nft.prune(*proxy_nft.leftover(before, after)))
    assert found == table(proxy_nft.replace(after))


@pytest.mark.parametrize("state", STATES)
def test_equal_rules_need_no_delta(state: str) -> None:
    assert proxy_nft.delta(STATES[state].ruleset, STATES[state].ruleset) == ""
    assert proxy_nft.prune(*proxy_nft.leftover(STATES[state].ruleset, STATES[state].ruleset)) == ""


@pytest.mark.parametrize("state", STATES)
def test_replacing_and_refreshing_can_be_repeated(state: str) -> None:
    rules = STATES[state].ruleset
    wanted = table(proxy_nft.replace(rules))
    assert table(proxy_nft.replace(rules), proxy_nft.replace(rules)) == wanted
    assert table(proxy_nft.refresh(rules)) == wanted
    assert table(proxy_nft.replace(rules), proxy_nft.refresh(rules)) == wanted


def test_refreshing_keeps_remembered_clients_and_replaces_changed_rules() -> None:
    rules = STATES["sticky"].ruleset
    found = table(proxy_nft.replace(rules))
    name = next(iter(rules.clients))
    found.remembered[name].add("10.1.0.9")
    found.chains["nat-output"].clear()
    found.apply(proxy_nft.refresh(rules))
    assert found.remembered[name] == {"10.1.0.9"}
    assert found.chains["nat-output"] == [proxy.DISPATCH]


def test_a_delta_keeps_clients_of_endpoints_that_stay() -> None:
    before = STATES["sticky"].ruleset
    after = compiled(
        service("a", sessionAffinity="ClientIP"), endpoint_slice("a", "10.1.0.3", "10.1.0.4")
    ).ruleset
    found = table(proxy_nft.replace(before))
    for clients in found.remembered.values():
        clients.add("10.1.0.9")
    found.apply(proxy_nft.delta(before, after))
    assert found.remembered["svc-default/a/tcp/80/10.1.0.3/8080/10800s"] == {"10.1.0.9"}
    assert found.remembered["svc-default/a/tcp/80/10.1.0.4/8080/10800s"] == set()


ENDING: Any = {"ready": False, "serving": True, "terminating": True}


def dns(*endpoints: Any, ip: str = "10.96.0.10", at: int = 53, **spec: Any) -> proxy.Compiled:
    ports = [{**UDP[0], "port": at}]
    return compiled(service("dns", ip, ports=UDP, **spec), endpoint_slice("dns", *endpoints, ports=ports))


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        (dns("10.1.0.2", "10.1.0.3"), dns("10.1.0.3", "10.1.0.4"), ["10.1.0.2"]),
        (dns("10.1.0.2"), dns("10.1.0.2", "10.1.0.3"), []),
        (dns("10.1.0.2"), dns(), ["10.1.0.2"]),
        (dns("10.1.0.2"), compiled(), ["10.1.0.2"]),
        (dns(), dns("10.1.0.2"), []),
        (dns("10.1.0.2"), dns(endpoint("10.1.0.2", **ENDING), "10.1.0.3"), ["10.1.0.2"]),
        (dns("10.1.0.2"), dns(endpoint("10.1.0.2", **ENDING)), []),
        (dns("10.1.0.2"), dns(endpoint("10.1.0.2", ready=False, serving=False)), ["10.1.0.2"]),
        (dns("10.1.0.2"), dns("10.1.0.2", sessionAffinity="ClientIP"), []),
        (dns("10.1.0.2"), dns("10.1.0.2", internalTrafficPolicy="Local"), []),
        (dns("10.1.0.2"), dns("10.1.0.2", at=54), ["10.1.0.2"]),
        (STATES["more endpoints"], STATES["one"], []),
    ],
)
def test_udp_flows_to_ended_endpoints_are_forgotten(
    old: proxy.Compiled, new: proxy.Compiled, gone: list[str]
) -> None:
    commands = proxy_nft.purge_commands(old, new)
    words = " ".join(word for command in commands for word in command)
    assert words.count("conntrack -D") == len(gone)
    for address in gone:
        wanted = f"-p udp --orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src {address} --reply-port-src 53"
        assert wanted in words


def test_udp_flows_that_began_before_their_service_are_forgotten_where_packets_were_let_out() -> None:
    outside: Any = {"externalIPs": ["192.0.2.7"]}
    ((_, _, words),) = proxy_nft.purge_commands(compiled(), dns("10.1.0.2", **outside))
    assert words.count("conntrack -D") == 1
    assert "conntrack -D -p udp --orig-dst 192.0.2.7 --orig-port-dst 53;" in words
    assert proxy_nft.purge_commands(dns("10.1.0.2", **outside), dns("10.1.0.2", "10.1.0.3", **outside)) == ()


def test_udp_flows_that_began_without_rules_can_be_forgotten() -> None:
    ((_, _, words),) = proxy_nft.stray_commands(dns("10.1.0.2"))
    assert "conntrack -D -p udp --orig-dst 10.96.0.10 --orig-port-dst 53 --reply-src 10.96.0.10;" in words
    assert proxy_nft.stray_commands(compiled()) == ()


def test_all_udp_flows_can_be_forgotten() -> None:
    ((_, _, words),) = proxy_nft.sweep_commands(dns("10.1.0.2"))
    assert words.count("conntrack -D -p udp --orig-dst 10.96.0.10 --orig-port-dst 53") == 1
    assert proxy_nft.sweep_commands(compiled()) == ()


def test_setup_makes_service_addresses_on_link_with_the_pods_own_source() -> None:
    assert proxy.setup_commands(FACTS.ranges, "10.1.0.9") == (
        ("ip", "route", "replace", "10.96.0.0/16", "dev", "eth0", "scope", "link", "src", "10.1.0.9"),
        (
            *("ip", "route", "replace", "127.0.1.0/24", "dev", "eth0", "scope", "link", "src", "10.1.0.9"),
            *("table", "local"),
        ),
    )


def test_a_range_that_goes_takes_its_route_along() -> None:
    found = proxy.setup_commands(("10.96.0.0/16",), "10.1.0.9", ["10.112.0.0/24"])
    assert found[0] == ("ip", "route", "flush", "exact", "10.112.0.0/24")
    assert len(found) == 2
