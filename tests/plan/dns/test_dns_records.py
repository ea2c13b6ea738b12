"""The records of each sort of Service and pod."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan import dns_records
from tests.plan.proxy.cases import endpoint, endpoint_slice, service

ZONES = ("cluster.local", "96.10.in-addr.arpa")


def records(*services: Any, slices: Any = (), pods: Any = ()) -> dict[tuple[str, str], set[str]]:
    view = dns_records.View(services, tuple(slices), tuple(pods), "cluster.local")
    found = {key: set(data) for key, data in dns_records.desired(view).items()}
    assert found.pop(("dns-version.cluster.local.", "TXT")) == {'"1.1.0"'}
    return found


def test_a_service_has_an_address_a_pointer_and_its_ports() -> None:
    web = service(
        "web",
        ports=[{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 9}],
    )
    name = "web.default.svc.cluster.local."
    assert records(web) == {
        (name, "A"): {"10.96.0.20"},
        ("20.0.96.10.in-addr.arpa.", "PTR"): {name},
        (name, "SRV"): {f"0 33 80 {name}", f"0 33 53 {name}", f"0 33 9 {name}"},
        (f"_http._tcp.{name}", "SRV"): {f"0 100 80 {name}"},
        (f"_http._tcp.{name}", "A"): {"10.96.0.20"},
        (f"_dns._udp.{name}", "SRV"): {f"0 100 53 {name}"},
        (f"_dns._udp.{name}", "A"): {"10.96.0.20"},
    }


def test_a_headless_service_has_the_names_of_its_ready_endpoints() -> None:
    piece = endpoint_slice(
        "db",
        endpoint("10.1.0.2", hostname="DB-0"),
        endpoint("10.1.0.3"),
        endpoint("10.1.0.4", ready=False),
        ports=[{"name": "sql", "port": 5432, "protocol": "TCP"}, {"port": 1}, {"name": "all"}],
    )
    name = "db.default.svc.cluster.local."
    first, second = f"db-0.{name}", f"10-1-0-3.{name}"
    assert records(service("db", "None"), slices=[piece]) == {
        (name, "A"): {"10.1.0.2", "10.1.0.3"},
        (first, "A"): {"10.1.0.2"},
        (second, "A"): {"10.1.0.3"},
        ("2.0.1.10.in-addr.arpa.", "PTR"): {first},
        ("3.0.1.10.in-addr.arpa.", "PTR"): {second},
        (name, "SRV"): {f"0 16 {port} {host}" for port in (1, 5432) for host in (first, second)},
        (first, "SRV"): {f"0 33 1 {first}", f"0 33 5432 {first}"},
        (second, "SRV"): {f"0 33 1 {second}", f"0 33 5432 {second}"},
        (f"_sql._tcp.{name}", "SRV"): {f"0 50 5432 {first}", f"0 50 5432 {second}"},
        (f"_sql._tcp.{name}", "A"): {"10.1.0.2", "10.1.0.3"},
        (f"_all._tcp.{name}", "A"): {"10.1.0.2", "10.1.0.3"},
    }


def test_of_many_endpoints_each_has_a_share() -> None:
    piece = endpoint_slice("db", *(f"10.1.0.{last}" for last in range(150)))
    found = records(service("db", "None"), slices=[piece])["db.default.svc.cluster.local.", "SRV"]
    assert {data.split()[1] for data in found} == {"1"}


def test_namespaces_exist_without_data() -> None:
    view = dns_records.View((), (), (), "cluster.local", ("shop",))
    assert {name for name, _ in dns_records.desired(view)} == {
        "dns-version.cluster.local.",
        "_minikctl.shop.svc.cluster.local.",
        "_minikctl.shop.pod.cluster.local.",
    }


def test_a_port_whose_name_has_no_room_in_a_label_has_no_record_and_harms_no_other() -> None:
    ports = [{"name": "p" * 63, "port": 80}, {"name": "q" * 62, "port": 81}]
    found = records(service("web", ports=ports))
    assert [name[:5] for name, type in found if type == "SRV" and name[0] == "_"] == ["_qqqq"]
    piece = endpoint_slice("db", "10.1.0.2", ports=[{"name": "p" * 63, "port": 80, "protocol": "TCP"}])
    found = records(service("db", "None"), slices=[piece])
    assert not [name for name, type in found if type == "SRV" and name[0] == "_"]


def test_a_headless_service_without_ready_endpoints_has_no_name() -> None:
    assert records(service("db", "None"), slices=[endpoint_slice("db")]) == {}
    assert records(service("db", "")) == {}


def test_endpoints_of_a_service_with_an_address_have_names() -> None:
    piece = endpoint_slice("web", endpoint("10.1.0.2", hostname="a"), endpoint("10.1.0.3", ready=False))
    other = {**piece, "metadata": {**piece["metadata"], "labels": {"kubernetes.io/service-name": "api"}}}
    both = [service("web"), service("api", "10.96.0.21")]
    found = records(*both, slices=[piece, other])
    for name in ("web", "api"):
        host = f"a.{name}.default.svc.cluster.local."
        assert found[host, "A"] == {"10.1.0.2"}
        assert found[host, "SRV"] == {f"0 100 8080 {host}"}
        assert "10.1.0.2" not in found[f"{name}.default.svc.cluster.local.", "A"]
    names = {f"a.{name}.default.svc.cluster.local." for name in ("web", "api")}
    assert found["2.0.1.10.in-addr.arpa.", "PTR"] == names
    assert not any("10.1.0.3" in data for data in found.values())


@pytest.mark.parametrize("name", ["db.example.com", "db.example.com."])
def test_an_external_name_is_an_alias(name: str) -> None:
    found = records(service("db", "", type="ExternalName", externalName=name))
    assert found == {("db.default.svc.cluster.local.", "CNAME"): {"db.example.com."}}
    assert records(service("db", "", type="ExternalName")) == {}


def test_live_pods_have_names_made_of_their_addresses() -> None:
    def pod(ip: str, phase: str = "Running") -> Any:
        return {"metadata": {"namespace": "shop"}, "status": {"podIP": ip, "phase": phase}}

    found = records(pods=[pod("10.1.0.7"), pod(""), pod("10.1.0.8", "Succeeded"), pod("::1")])
    assert found == {("10-1-0-7.shop.pod.cluster.local.", "A"): {"10.1.0.7"}}


def test_records_are_sorted_into_their_zones() -> None:
    found = dns_records.by_zone(
        {
            ("a.default.svc.cluster.local.", "A"): frozenset({"1"}),
            ("1.0.96.10.in-addr.arpa.", "PTR"): frozenset({"2"}),
            ("1.0.1.10.in-addr.arpa.", "PTR"): frozenset({"3"}),
            ("evil-cluster.local.", "A"): frozenset({"4"}),
        },
        ZONES,
    )
    assert found == {
        "cluster.local": {("a.default.svc.cluster.local.", "A"): frozenset({"1"})},
        "96.10.in-addr.arpa": {("1.0.96.10.in-addr.arpa.", "PTR"): frozenset({"2"})},
    }


def test_a_name_is_in_the_innermost_of_its_zones() -> None:
    inner = {("x.b.a.", "A"): frozenset({"1"}), ("b.a.", "A"): frozenset({"2"})}
    outer = {("x.bb.a.", "A"): frozenset({"3"})}
    for zones in (("a", "b.a"), ("b.a", "a")):
        assert dns_records.by_zone({**inner, **outer}, zones) == {"a": outer, "b.a": inner}


def test_a_name_is_254_characters_long_at_most() -> None:
    for length, fits in ((253, True), (254, False)):
        target = ".".join(["a" * 62] * 5)[: length - 1] + "b"
        external = service("alias", "", type="ExternalName", externalName=target)
        assert bool(records(external)) is fits


def test_a_difference_deletes_replaces_and_adds() -> None:
    one, two = frozenset({"1"}), frozenset({"2"})
    held = {("same", "A"): one, ("other", "A"): one, ("gone", "A"): one}
    wanted = {("same", "A"): one, ("other", "A"): two, ("new", "A"): two}
    assert dns_records.difference(held, wanted) == {
        ("gone", "A"): frozenset(),
        ("other", "A"): two,
        ("new", "A"): two,
    }


def test_batches_keep_names_whole_and_delete_first() -> None:
    changes = {
        ("a", "CNAME"): frozenset({"x"}),
        ("b", "A"): frozenset({"1"}),
        ("a", "A"): frozenset(),
        ("c", "A"): frozenset({"1"}),
    }
    parts = [list(part) for part in dns_records.batches(changes, 90)]
    assert parts == [[("a", "A"), ("a", "CNAME")], [("b", "A")], [("c", "A")]]
    assert [list(part) for part in dns_records.batches({}, 90)] == []
    assert [len(part) for part in dns_records.batches(changes, 10)] == [2, 1, 1], "a name is never cut"
    assert len(list(dns_records.batches(changes, 9000))) == 1


def test_an_external_name_that_dns_cannot_hold_has_no_record() -> None:
    alias = ("alias.default.svc.cluster.local.", "CNAME")
    for target, held in (("a" * 63 + ".com", True), ("a" * 64 + ".com", False), ("a." * 126 + "b", True)):
        external = service("alias", "", type="ExternalName", externalName=target)
        assert records(external) == ({alias: {f"{target}."}} if held else {})
