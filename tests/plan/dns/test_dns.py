"""resolv.conf by policy."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import dns

HOST = [
    "# made by hand",
    "domain old.lan",
    "search lan corp.lan .",
    "nameserver 192.0.2.53",
    "options edns0 timeout:1",
]
CLUSTER = (
    "search shop.svc.cluster.local svc.cluster.local cluster.local lan corp.lan\nnameserver 10.96.0.10\n"
)
OF_HOST = "search lan corp.lan\nnameserver 192.0.2.53\noptions edns0 timeout:1\n"


def pod(**spec: Any) -> Any:
    return {"metadata": {"namespace": "shop", "name": "p"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, CLUSTER + "options ndots:5\n"),
        ({"dnsPolicy": "ClusterFirst"}, CLUSTER + "options ndots:5\n"),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, OF_HOST),
        ({"dnsPolicy": "ClusterFirstWithHostNet"}, CLUSTER + "options ndots:5\n"),
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, OF_HOST),
        ({"dnsPolicy": "Default"}, OF_HOST),
        ({"dnsPolicy": "None"}, ""),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["192.0.2.1"], "options": [{"name": "inet6"}]},
            },
            "nameserver 192.0.2.1\noptions inet6\n",
        ),
        (
            {
                "dnsConfig": {
                    "nameservers": ["192.0.2.1", "10.96.0.10"],
                    "searches": ["lan", "more.lan"],
                    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
                }
            },
            CLUSTER.replace("corp.lan", "corp.lan more.lan")
            + "nameserver 192.0.2.1\noptions ndots:2 edns0\n",
        ),
    ],
)
def test_each_policy_gives_its_resolver(spec: Any, wanted: str) -> None:
    assert dns.resolution(pod(**spec), "10.96.0.10", "cluster.local", HOST).text == wanted


@pytest.mark.parametrize("lines", [["nameserver 127.0.0.53", "nameserver ::1"], []])
def test_a_host_resolver_on_loopback_is_reached_through_the_engines(lines: list[str]) -> None:
    assert dns.resolution(pod(dnsPolicy="Default"), "", "", lines).text == "nameserver 127.0.0.11\n"


def test_that_the_hosts_network_has_no_cluster_dns_is_told() -> None:
    found = dns.resolution(pod(dnsPolicy="ClusterFirstWithHostNet", hostNetwork=True), "x", "y", HOST)
    assert found.warnings == (dns.NO_CLUSTER_DNS,)


def test_too_many_nameservers_are_cut_and_told() -> None:
    found = dns.resolution(pod(dnsConfig={"nameservers": ["a", "b", "c"]}), "10.96.0.10", "x", [])
    assert found.text.count("nameserver") == 3
    assert found.warnings == (
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        "the applied nameserver line is: 10.96.0.10 a b",
    )


@pytest.mark.parametrize(
    ("searches", "kept"), [([f"s{n}" for n in range(40)], 32), (["x" * 60 + str(n) for n in range(40)], 33)]
)
def test_too_long_searches_are_cut_and_told(searches: list[str], kept: int) -> None:
    found = dns.resolution(pod(dnsPolicy="None", dnsConfig={"searches": searches}), "", "", [])
    line = found.text.splitlines()[0]
    assert len(line.split()) - 1 == min(kept, 32)
    assert len(line) <= len("search ") + 2048
    assert found.warnings[0].startswith("Search Line limits were exceeded")


def test_a_search_line_stays_within_its_characters() -> None:
    searches = ["y" * 200 + str(n) for n in range(12)]
    found = dns.resolution(pod(dnsPolicy="None", dnsConfig={"searches": searches}), "", "", [])
    assert len(found.text.splitlines()[0]) <= len("search ") + 2048
    assert found.warnings
