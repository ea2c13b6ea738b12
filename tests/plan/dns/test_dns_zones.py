"""The name server's configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from minikctl.plan import dns_zones

CONFIG = dns_zones.ServerConfig(
    "cluster.local", ("cluster.local", "96.10.in-addr.arpa"), "10.96.0.10", "c2VjcmV0"
)


@pytest.mark.parametrize(
    ("cidr", "zones"),
    [
        ("10.0.0.0/8", ["10.in-addr.arpa"]),
        ("10.96.0.0/16", ["96.10.in-addr.arpa"]),
        ("10.96.0.0/15", ["96.10.in-addr.arpa", "97.10.in-addr.arpa"]),
        ("10.201.16.0/22", [f"{n}.201.10.in-addr.arpa" for n in range(16, 20)]),
        ("10.201.16.0/24", ["16.201.10.in-addr.arpa"]),
        ("10.201.16.64/26", ["16.201.10.in-addr.arpa"]),
    ],
)
def test_reverse_zones_cover_a_range_and_little_else(cidr: str, zones: list[str]) -> None:
    assert dns_zones.reverse_zones(cidr) == zones
    assert dns_zones.zones("cluster.local", [cidr, cidr]) == ("cluster.local", *zones)


@pytest.mark.parametrize(
    ("lines", "egress", "wanted"),
    [
        (["nameserver 192.0.2.1", "nameserver fd00::1"], True, ("192.0.2.1",)),
        (["nameserver 127.0.0.53"], True, ("127.0.0.11",)),
        (["nameserver 192.0.2.1"], False, ()),
    ],
)
def test_forwarders_are_the_hosts_unless_nothing_may_leave(
    lines: list[str], egress: bool, wanted: tuple[str, ...]
) -> None:
    assert dns_zones.forwarders(lines, egress=egress) == wanted


def test_every_zone_begins_with_its_authority() -> None:
    files = dns_zones.files(CONFIG)
    assert files["cluster.local.zone"].splitlines() == [
        "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5",
        "cluster.local. 5 IN NS ns.dns.cluster.local.",
        "ns.dns.cluster.local. 5 IN A 10.96.0.10",
    ]
    assert len(files["96.10.in-addr.arpa.zone"].splitlines()) == 2


def test_only_the_node_may_ask_how_the_server_is() -> None:
    assert "statistics-channels" not in dns_zones.named_conf(CONFIG)
    made = dns_zones.named_conf(replace(CONFIG, asks="10.201.0.1"))
    assert "statistics-channels { inet * port 8053 allow { 10.201.0.1; }; };" in made


def test_without_overrides_there_is_no_policy() -> None:
    assert "response-policy" not in dns_zones.named_conf(CONFIG)
    made = replace(CONFIG, overrides=(("a.example", "A", "192.0.2.1"),))
    assert 'response-policy { zone "overrides.invalid"; }' in dns_zones.named_conf(made)
    assert dns_zones.files(made)["overrides.invalid.zone"].splitlines()[2:] == [
        "a.example.overrides.invalid. 5 IN A 192.0.2.1"
    ]


def test_only_the_key_may_change_or_copy_zones() -> None:
    text = dns_zones.named_conf(CONFIG)
    assert text.count('allow-update { key "minikctl"; }') == 2
    assert 'allow-transfer { key "minikctl"; }' in text
    assert 'secret "c2VjcmV0"' in text


def test_without_forwarders_other_names_do_not_exist() -> None:
    assert 'zone "." { type primary;' in dns_zones.named_conf(CONFIG)
    assert "forward" not in dns_zones.named_conf(CONFIG)


def test_some_zones_are_asked_for_elsewhere_and_questions_are_told() -> None:
    text = dns_zones.named_conf(replace(CONFIG, stubs=(("corp.example", ("192.0.2.1",)),), log=True))
    assert 'zone "corp.example" { type forward; forward only; forwarders { 192.0.2.1; }; };' in text
    assert "querylog yes;" in text
    assert "querylog no;" in dns_zones.named_conf(CONFIG)


def test_with_forwarders_other_names_are_asked_for_there_only() -> None:
    forwarding = dns_zones.ServerConfig(
        "c.local", ("c.local",), "10.96.0.10", "x", ("192.0.2.1", "192.0.2.2")
    )
    text = dns_zones.named_conf(forwarding)
    assert "forwarders { 192.0.2.1; 192.0.2.2; };" in text
    assert "forward only;" in text
    assert 'zone "."' not in text


def test_zones_begin_with_the_ttl_that_records_are_to_have() -> None:
    files = dns_zones.files(replace(CONFIG, ttl=30))
    lines = files["cluster.local.zone"].splitlines()
    assert [line.split()[1] for line in lines] == ["30"] * 3
    assert lines[0].endswith(" 86400 30")
