"""The name server's life: what it is told to ask elsewhere, its end and its successors, names that come and go."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, docker, eventually
from tests.e2e.lookups import SERVER, Asker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NAMESPACE = "asking"
ZONE = f"{NAMESPACE}.svc.cluster.local"
KEPT = (f"stays.{ZONE}", f"pods.{ZONE}", "kubernetes.default.svc.cluster.local")
ELSEWHERE = """options { directory "/tmp"; listen-on { any; }; listen-on-v6 { none; }; pid-file none;
  session-keyfile none; recursion no; dnssec-validation no; };
controls { };
"""
OTHERS = """@ 5 IN SOA localhost. localhost. 1 7200 1800 86400 5
@ 5 IN NS localhost.
www 5 IN A 192.0.2.80
"""
COREFILE = """.:53 {{
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods verified
        ttl 5
    }}
    forward . {upstream}
    {more}
}}
corp.example {{
    forward . {corp}:5353
}}
"""
OWN = f"hosts {{\n 192.0.2.7 printer.example\n fallthrough\n}}\nrewrite name old.outer.test {KEPT[0]}"
TRY = """
import dns.exception, dns.message, dns.query, sys
try:
    print(bool(dns.query.udp(dns.message.make_query(sys.argv[2], "A"), sys.argv[1], timeout=1).answer))
except (OSError, dns.exception.DNSException):
    print(False)
"""


def meta(name: str, namespace: str = NAMESPACE, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "labels": labels}


def container(image: str, *command: str) -> dict[str, Any]:
    return {
        "name": "app",
        "image": f"minikctl-{image}:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": command,
    }


def pod(name: str, main: dict[str, Any], **spec: Any) -> dict[str, Any]:
    rest = {"terminationGracePeriodSeconds": 0, "containers": [main], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, app=name), "spec": rest}


def idle(name: str, **spec: Any) -> dict[str, Any]:
    return pod(name, container("demo", "sleep", "3600"), **spec)


def elsewhere(name: str, *zones: str) -> list[dict[str, Any]]:
    """Return a name server with zones that are not the cluster's: ``www`` in each has the address 192.0.2.80."""
    named = [f'zone "{zone}" {{ type primary; file "/config/zone"; }};\n' for zone in zones]
    data = {"named.conf": ELSEWHERE + "".join(named), "zone": OTHERS}
    main = container("infra", "named", "-f", "-n", "1", "-c", "/config/named.conf")
    main["volumeMounts"] = [{"name": "config", "mountPath": "/config"}]
    main["readinessProbe"] = {"tcpSocket": {"port": 53}, "periodSeconds": 1}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name), "data": data},
        pod(name, main, volumes=[{"name": "config", "configMap": {"name": name}}]),
    ]


def service(name: str, app: str, **spec: Any) -> dict[str, Any]:
    wanted = {"selector": {"app": app}, "ports": [{"name": "http", "port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta(name), "spec": wanted}


def listed(*items: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


class World:
    """A cluster with a client, and name servers of others in it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.client = Asker(cluster, "client", NAMESPACE)
        self.upstream = cluster.json("pod", "upstream", "-n", NAMESPACE)["status"]["podIP"]
        self.corp = cluster.json("service", "corp", "-n", NAMESPACE)["spec"]["clusterIP"]

    def say(self, text: str, name: str = "coredns", key: str = "Corefile") -> None:
        """Have the ConfigMap, and wait until name servers that know of it are the only ones."""
        before = self.servers()
        self.tell(text, name, key)
        eventually(lambda: (found := self.servers()) and not set(found) & set(before))
        self.cluster.run("rollout", "status", "deploy/dns", "-n", "kube-system", "--timeout=60s")

    def tell(self, text: str, name: str = "coredns", key: str = "Corefile") -> None:
        one = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name, "kube-system")}
        self.cluster.run("apply", "-f", "-", stdin=json.dumps({**one, "data": {key: text}}))

    def servers(self) -> list[str]:
        found = self.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"]
        return [one["metadata"]["name"] for one in found]

    def corefile(self, more: str = "") -> str:
        return COREFILE.format(upstream=self.upstream, corp=self.corp, more=more)

    def told(self, name: str) -> str:
        found = self.cluster.json(
            "events", "-n", "kube-system", "--field-selector", f"involvedObject.name={name}"
        )
        return "\n".join(f"{one['reason']}: {one['message']}" for one in found["items"])


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> World:
    talk = [{"name": "dns", "port": 5353, "targetPort": 53, "protocol": "UDP"}]
    made = listed(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        idle("client"),
        *elsewhere("upstream", "outer.test", "lab.example"),
        *elsewhere("corp", "corp.example"),
        service("corp", "corp", ports=talk),
        service("stays", "client"),
        service("pods", "client", clusterIP="None"),
        service("outer", "", type="ExternalName", externalName="www.outer.test"),
    )
    cluster.run("apply", "-f", "-", stdin=made)
    for app in ("client", "upstream", "corp"):
        cluster.ready(f"app={app}", NAMESPACE, 90)
    return World(cluster)


def test_other_names_are_asked_for_where_the_corefile_says(world: World) -> None:
    """And no question fails while another name server takes over."""
    assert world.client.ask("www.outer.test").rcode == "NXDOMAIN"
    with world.client.watch(KEPT) as watch:
        world.say(world.corefile(f"log\n{OWN}"))
        asked, failed = watch.end()
    assert (failed, asked > 100) == ([], True)
    for way in ("udp", "tcp"):
        assert world.client.ask("www.outer.test", "A", way).addresses() == ["192.0.2.80"]
        assert world.client.ask("www.corp.example", "A", way).addresses() == ["192.0.2.80"]
    assert world.client.ask("no.corp.example").rcode == "NXDOMAIN"
    # The map's own names are answered before anybody is asked.
    assert world.client.ask("printer.example").addresses() == ["192.0.2.7"]
    assert world.client.ask("old.outer.test").lines == [
        ["old.outer.test.", 5, "CNAME", f"{KEPT[0]}."],
        *world.client.ask(KEPT[0]).lines,
    ]
    # An alias to a name outside is followed there.
    outer = world.client.ask(f"outer.{ZONE}")
    assert [line[2:] for line in outer.lines] == [["CNAME", "www.outer.test."], ["A", "192.0.2.80"]]
    eventually(lambda: "www.corp.example" in world.cluster.out("logs", "deploy/dns", "-n", "kube-system"))


def test_more_server_blocks_come_from_the_other_map(world: World) -> None:
    world.say(world.corefile().replace(world.upstream, "192.0.2.1").replace("ttl 5", "ttl 30"))
    world.say(f"lab.example {{\n  forward . {world.upstream}\n}}", "coredns-custom", "lab.server")
    assert world.client.ask("www.lab.example").addresses() == ["192.0.2.80"]
    (line,) = world.client.ask(KEPT[0]).lines
    assert line[1] == 30
    world.say(world.corefile())


def test_what_is_not_done_and_what_cannot_be_read_is_told(world: World) -> None:
    before = world.servers()
    world.tell(world.corefile("rewrite name regex a b"))
    eventually(lambda: "NotEnforced: cluster DNS is BIND" in world.told("coredns"))
    assert "no counterpart of: rewrite" in world.told("coredns")
    world.tell(".:53 {\n forward")
    eventually(lambda: "InvalidCorefile" in world.told("coredns"))
    assert world.servers() == before
    assert world.client.ask("www.outer.test").addresses() == ["192.0.2.80"]
    world.tell(world.corefile())


def test_a_name_server_that_is_killed_comes_back_with_all_names(world: World) -> None:
    def named() -> str:
        found = [*world.cluster.containers("label=minikctl.dev/container=named")]
        return found[0] if found else ""

    killed = named()
    with world.client.watch([*KEPT, "www.outer.test"], timeout=0.5) as watch:
        docker("kill", killed)
        eventually(lambda: named() not in ("", killed))
        for name in (KEPT[0], "www.outer.test"):
            eventually(lambda: world.client.run(TRY, SERVER, name) == "True\n")  # noqa: B023
        asked, failed = watch.end(more=50)
    # For a moment nobody answers, or there is nowhere to ask; but nobody says either that a name does not exist.
    assert {outcome for _, _, outcome in failed} <= {"Timeout", "PermissionError", "ConnectionRefusedError"}
    assert max((number for number, _, _ in failed), default=0) <= asked - 50
    assert world.client.ask(KEPT[0], way="tcp").rcode == "NOERROR"


def test_no_question_fails_while_names_come_and_go(world: World) -> None:
    over, rounds = threading.Event(), 0
    passing = listed(*(service(f"passes-{number}", "client", clusterIP="None") for number in range(20)))

    def change() -> None:
        nonlocal rounds
        while not over.is_set():
            world.cluster.run("apply", "-f", "-", stdin=passing)
            world.cluster.run("delete", "-f", "-", stdin=passing)
            rounds += 1

    changing = threading.Thread(target=change)
    with world.client.watch(KEPT) as watch:
        changing.start()
        try:
            _come_and_go(world)
            eventually(lambda: rounds > 2)
        finally:
            over.set()
            changing.join()
        asked, failed = watch.end()
    assert (failed, asked > 500, rounds > 2) == ([], True, True)


def _come_and_go(world: World) -> None:
    """Have further pods of the headless Service, which keeps having an address while its records are replaced."""
    for number in range(3):
        name = f"more-{number}"
        more = idle(name)
        more["metadata"]["labels"]["app"] = "client"
        world.cluster.run("apply", "-f", "-", stdin=json.dumps(more))
        world.cluster.run("wait", "--for=condition=Ready", f"pod/{name}", "-n", NAMESPACE, "--timeout=60s")
        world.cluster.run("delete", "pod", name, "-n", NAMESPACE)


def test_names_are_known_at_the_first_instruction(world: World) -> None:
    """Of the pod's own Service, too, which came with it; the pod's own name follows the status that has its address."""
    names = (f"early.{ZONE}", KEPT[2])
    own = f"$(echo $IP | tr . -).{NAMESPACE}.pod.cluster.local"
    script = "; ".join(f"nslookup -type=a {name} || true" for name in names)
    script += f"; until nslookup -type=a {own}; do sleep 0.1; done"
    first = {**container("infra", "sh", "-c", script), "name": "first"}
    first["env"] = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    world.cluster.run(
        "apply", "-f", "-", stdin=listed(service("early", "early"), idle("early", initContainers=[first]))
    )
    world.cluster.ready("app=early", NAMESPACE, 60)
    said = world.cluster.out("logs", "early", "-c", "first", "-n", NAMESPACE)
    assert said.count("Name:") == len(names) + 1, said


def test_a_pod_of_the_hosts_network_has_the_hosts_names_and_is_told(world: World) -> None:
    """Cluster names would lead it to Service addresses, which are not routed there and would leave the machine."""
    policy = {"dnsPolicy": "ClusterFirstWithHostNet"}
    world.cluster.run(
        "apply", "-f", "-", stdin=listed(idle("hosted", hostNetwork=True, **policy), idle("plain", **policy))
    )
    for name in ("hosted", "plain"):
        world.cluster.ready(f"app={name}", NAMESPACE, 60)
    show = ("--", "cat", "/etc/resolv.conf")
    assert f"nameserver {SERVER}" in world.cluster.out("exec", "plain", "-n", NAMESPACE, *show)
    assert SERVER not in world.cluster.out("exec", "hosted", "-n", NAMESPACE, *show)
    asked = ("events", "--for=pod/hosted", "-n", NAMESPACE)
    said = eventually(lambda: "DNSConfigForming" in (told := world.cluster.out(*asked)) and told)
    assert "Cluster DNS cannot be reached from the host's network" in said
