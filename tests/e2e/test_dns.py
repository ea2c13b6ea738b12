"""Cluster DNS record by record, as the DNS-based service discovery specification 1.1.0 lists them."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, eventually
from tests.e2e.lookups import SERVER, Asker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMESPACE = "names"
ZONE = f"{NAMESPACE}.svc.cluster.local"


class Names:
    """A cluster with Services and pods of all sorts; their addresses by name."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.client = Asker(cluster, "client", NAMESPACE)
        self.ask = self.client.ask
        self.address = {
            **{
                item["metadata"]["name"]: item["spec"].get("clusterIP", "") for item in self.items("services")
            },
            **{item["metadata"]["name"]: item["status"].get("podIP", "") for item in self.items("pods")},
        }

    def items(self, kind: str) -> list[Any]:
        return list(self.cluster.json(kind, "-n", NAMESPACE)["items"])

    def dashed(self, pod: str) -> str:
        return self.address[pod].replace(".", "-")

    def resolver(self, pod: str) -> list[str]:
        return self.cluster.out("exec", pod, "-n", NAMESPACE, "--", "cat", "/etc/resolv.conf").splitlines()


def meta(name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "labels": labels}


def service(name: str, app: str = "", **spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"app": app}} if app else {}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(name), "spec": {**wanted, **spec}}


def pod(name: str, app: str, *, ready: bool = True, **spec: Any) -> dict[str, Any]:
    app_container = {
        "name": "app",
        "image": "minikctl-demo:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "3600"],
        "readinessProbe": {
            "exec": {"command": ["true" if ready else "false"]},
            "periodSeconds": 1,
            "timeoutSeconds": 10,
        },
    }
    rest = {"terminationGracePeriodSeconds": 0, "containers": [app_container], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, app=app), "spec": rest}


PORTS = [
    {"name": "http", "port": 80, "targetPort": 8080},
    {"name": "talk", "port": 53, "protocol": "UDP"},
]
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": meta("manual-1", **{"kubernetes.io/service-name": "manual"}),
    "addressType": "IPv4",
    "ports": [{"name": "db", "port": 5432, "protocol": "TCP"}],
    "endpoints": [
        {"addresses": ["203.0.113.11"], "hostname": "eleven"},
        {"addresses": ["203.0.113.12"], "conditions": {"ready": False}},
    ],
}
MANY = [f"203.0.113.{number}" for number in range(1, 101)]
LONG = {
    **SLICE,
    "metadata": meta("many-1", **{"kubernetes.io/service-name": "many"}),
    "endpoints": [{"addresses": [address]} for address in MANY],
}
OWN = {
    "nameservers": ["192.0.2.53"],
    "searches": ["own.test"],
    "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
}
OBJECTS = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "vacant"}},
    service("web", "db", ports=PORTS),
    service("nameless", "db", ports=[{"port": 80}]),
    service("db", "db", clusterIP="None", ports=PORTS),
    service("portless", "db", clusterIP="None"),
    service("early", "late", clusterIP="None", publishNotReadyAddresses=True),
    service("nobody", "late", clusterIP="None", ports=PORTS),
    service("manual", clusterIP="None", ports=[{"name": "db", "port": 5432}]),
    SLICE,
    service("many", clusterIP="None", ports=[{"name": "db", "port": 5432}]),
    LONG,
    service("alias", type="ExternalName", externalName=f"web.{ZONE}"),
    service("outer", type="ExternalName", externalName="www.example.com"),
    pod("one", "db", hostname="one", subdomain="db"),
    pod("two", "db"),
    pod("late", "late", ready=False),
    pod("client", "client"),
    pod("of-node", "client", dnsPolicy="Default"),
    pod("of-own", "client", dnsPolicy="None", dnsConfig=OWN),
    pod("of-both", "client", dnsConfig=OWN),
]


@pytest.fixture(scope="module")
def names(cluster: Cluster) -> Names:
    cluster.run("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": OBJECTS}))
    for app in ("db", "client"):
        cluster.ready(f"app={app}", NAMESPACE, 90)
    eventually(lambda: cluster.json("pod", "late", "-n", NAMESPACE)["status"].get("podIP"))
    made = Names(cluster)
    for name, pods in {"db": ("one", "two"), "portless": ("one", "two"), "early": ("late",)}.items():
        wanted = sorted(made.address[pod] for pod in pods)
        eventually(lambda: made.ask(f"{name}.{ZONE}").addresses() == wanted)  # noqa: B023
    for pod in ("one", "two"):
        eventually(lambda: made.ask(f"{made.dashed(pod)}.web.{ZONE}").lines)  # noqa: B023
        eventually(lambda: made.ask(f"{made.dashed(pod)}.{NAMESPACE}.pod.cluster.local").lines)  # noqa: B023
    return made


def test_the_version_of_the_specification(names: Names) -> None:
    assert names.ask("dns-version.cluster.local", "TXT").data("TXT") == ['"1.1.0"']


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_a_service_has_its_address_and_port_names(names: Names, way: str) -> None:
    assert names.ask(f"web.{ZONE}", "A", way).data("A") == [names.address["web"]]
    assert names.ask(f"WEB.{ZONE.upper()}", "A", way).data("A") == [names.address["web"]]
    assert names.ask(f"_http._tcp.web.{ZONE}", "SRV", way).data("SRV") == [f"0 100 80 web.{ZONE}."]
    assert names.ask(f"_talk._udp.web.{ZONE}", "SRV", way).data("SRV") == [f"0 100 53 web.{ZONE}."]


def test_addresses_have_names(names: Names) -> None:
    for address, name in (
        (names.address["web"], f"web.{ZONE}."),
        (names.address["one"], f"one.db.{ZONE}."),
        ("10.96.0.1", "kubernetes.default.svc.cluster.local."),
    ):
        assert name in names.ask(ipaddress.ip_address(address).reverse_pointer, "PTR").data("PTR")
    unused = names.ask(ipaddress.ip_address("10.96.255.254").reverse_pointer, "PTR")
    assert unused.denies("NXDOMAIN")


def test_a_headless_service_has_its_ready_pods(names: Names) -> None:
    one, two = names.address["one"], names.address["two"]
    hosts = [f"one.db.{ZONE}.", f"{names.dashed('two')}.db.{ZONE}."]
    assert names.ask(f"db.{ZONE}").data("A") == sorted([one, two])
    assert names.ask(hosts[0]).data("A") == [one]
    assert names.ask(hosts[1]).data("A") == [two]
    # A headless Service translates nothing: what it has is the port that the pods listen at.
    assert names.ask(f"_http._tcp.db.{ZONE}", "SRV").data("SRV") == sorted(
        f"0 50 8080 {host}" for host in hosts
    )
    assert names.ask(f"portless.{ZONE}").data("A") == sorted([one, two])
    assert names.ask(f"early.{ZONE}").data("A") == [names.address["late"]]


def test_a_manual_slice_has_host_names_too(names: Names) -> None:
    assert names.ask(f"manual.{ZONE}").data("A") == ["203.0.113.11"]
    assert names.ask(f"eleven.manual.{ZONE}").data("A") == ["203.0.113.11"]
    assert names.ask(f"_db._tcp.manual.{ZONE}", "SRV").data("SRV") == [f"0 100 5432 eleven.manual.{ZONE}."]


def test_what_is_too_long_for_a_datagram_comes_by_tcp(names: Names) -> None:
    assert names.ask(f"many.{ZONE}").cut
    whole = names.ask(f"many.{ZONE}", way="tcp")
    assert (whole.cut, whole.data("A")) == (False, sorted(MANY))


def test_an_external_name_is_an_alias(names: Names) -> None:
    found = names.ask(f"alias.{ZONE}")
    assert (found.data("CNAME"), found.data("A")) == ([f"web.{ZONE}."], [names.address["web"]])
    assert names.ask(f"outer.{ZONE}", "CNAME").data("CNAME") == ["www.example.com."]


def test_pods_have_names_by_address(names: Names) -> None:
    name = f"{names.dashed('two')}.{NAMESPACE}.pod.cluster.local"
    assert names.ask(name).data("A") == [names.address["two"]]
    assert names.ask(f"192-0-2-1.{NAMESPACE}.pod.cluster.local").denies("NXDOMAIN")


def test_what_coredns_has_beside_the_specification(names: Names) -> None:
    web, one = names.address["web"], names.address["one"]
    host = f"{names.dashed('one')}.web.{ZONE}."  # a host name is one below the pod's subdomain only
    assert names.ask(f"web.{ZONE}", "SRV").data("SRV") == [f"0 50 {port} web.{ZONE}." for port in (53, 80)]
    assert names.ask(f"nameless.{ZONE}", "SRV").data("SRV") == [f"0 100 80 nameless.{ZONE}."]
    assert names.ask(f"_http._tcp.web.{ZONE}").data("A") == [web]
    assert names.ask(host).data("A") == [one]
    assert host in names.ask(ipaddress.ip_address(one).reverse_pointer, "PTR").data("PTR")
    assert names.ask(f"one.db.{ZONE}", "SRV").data("SRV") == [
        f"0 50 {port} one.db.{ZONE}." for port in (53, 8080)
    ]
    assert names.ask("cluster.local", "NS").data("NS") == ["ns.dns.cluster.local."]
    assert names.ask("ns.dns.cluster.local").data("A") == [SERVER]
    assert len(names.ask("cluster.local", "SOA").data("SOA")) == 1


@pytest.mark.parametrize(
    ("name", "type"),
    [
        (f"web.{ZONE}", "AAAA"),
        (f"db.{ZONE}", "AAAA"),
        (f"web.{ZONE}", "MX"),
        (f"web.{ZONE}", "SOA"),
        (f"web.{ZONE}", "TYPE64999"),
        (f"_http._tcp.web.{ZONE}", "AAAA"),
        (f"_tcp.web.{ZONE}", "A"),
        (ZONE, "A"),
        ("vacant.svc.cluster.local", "A"),
        ("vacant.svc.cluster.local", "TXT"),
        ("vacant.pod.cluster.local", "A"),
        ("cluster.local", "A"),
        ("svc.cluster.local", "A"),
        ("svc.cluster.local", "NS"),
        ("pod.cluster.local", "A"),
        ("dns-version.cluster.local", "A"),
    ],
)
def test_names_that_exist_have_no_data_of_other_types(names: Names, name: str, type: str) -> None:
    assert names.ask(name, type).denies("NOERROR")


@pytest.mark.parametrize(
    ("name", "type"),
    [
        (f"missing.{ZONE}", "A"),
        (f"missing.{ZONE}", "AAAA"),
        (f"nobody.{ZONE}", "A"),
        (f"_http._tcp.nobody.{ZONE}", "SRV"),
        (f"_http._udp.web.{ZONE}", "SRV"),
        (f"_tcp.nameless.{ZONE}", "SRV"),
        (f"missing.db.{ZONE}", "A"),
        (f"any.{ZONE}", "A"),
        (f"*.{ZONE}", "A"),
        (f"a.b.web.{ZONE}", "A"),
        (f"one.outer.{ZONE}", "A"),
        ("absent.svc.cluster.local", "NS"),
        ("absent.pod.cluster.local", "A"),
        ("web.elsewhere.svc.cluster.local", "A"),
        ("missing.cluster.local", "A"),
    ],
)
def test_names_that_do_not_exist(names: Names, name: str, type: str) -> None:
    assert names.ask(name, type).denies("NXDOMAIN")


def test_zones_are_not_given_away(names: Names) -> None:
    script = (
        "import dns.query, dns.zone, sys\n"
        "try:\n"
        "    dns.zone.from_xfr(dns.query.xfr(sys.argv[1], 'cluster.local', timeout=5))\n"
        "except dns.query.TransferError as error:\n"
        "    print(error)\n"
    )
    assert "REFUSED" in names.client.run(script, SERVER)


def test_resolvers_by_policy(names: Names) -> None:
    searches = f"{ZONE} svc.cluster.local cluster.local"
    plain = names.resolver("client")
    assert plain[0].startswith(f"search {searches}")
    assert plain[1:] == [f"nameserver {SERVER}", "options ndots:5"]
    assert names.resolver("of-own") == ["search own.test", "nameserver 192.0.2.53", "options ndots:2 edns0"]
    both = names.resolver("of-both")
    assert both[0].startswith(f"search {searches}")
    assert both[0].endswith(" own.test")
    assert both[1:] == [f"nameserver {SERVER}", "nameserver 192.0.2.53", "options ndots:2 edns0"]
    node = names.resolver("of-node")
    assert f"nameserver {SERVER}" not in node
    assert not any("cluster.local" in line for line in node)


def test_a_service_that_changes_its_type_changes_its_records(names: Names) -> None:
    names.cluster.run("delete", "service", "alias", "-n", NAMESPACE)
    eventually(lambda: names.ask(f"alias.{ZONE}").rcode == "NXDOMAIN")
    head = json.dumps(service("alias", "db", ports=PORTS))
    names.cluster.run("apply", "-f", "-", stdin=head)
    address = names.cluster.json("service", "alias", "-n", NAMESPACE)["spec"]["clusterIP"]
    eventually(lambda: [line[3] for line in names.ask(f"alias.{ZONE}").lines] == [address])
