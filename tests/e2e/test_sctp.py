"""Services of SCTP with real associations, between pods whose processes bring a stack of their own.

The machine's kernel is to have no SCTP: a second stack beside it would be answered for by both.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from tests.e2e import usrsctp
from tests.e2e.conftest import PROGRAM, ROOT, START, Cluster, curl, docker, eventually
from tests.fakes.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not usrsctp.is_possible(), reason="the kernel speaks SCTP itself, or libusrsctp-examples is missing"
    ),
]
PEER = ["chroot", "/host", sys.executable, "-B", "-m", "tests.e2e.usrsctp"]
PORT = 7
EXTERNAL = "192.0.2.70"


def pod(name: str, app: str, *command: str, ports: Sequence[Any] = ()) -> dict[str, Any]:
    """Return a pod whose process sees this machine's files, and with them the library."""
    container = {
        "name": "peer",
        "image": "minikctl-demo:latest",
        "imagePullPolicy": "Never",
        "command": [*PEER[:2], "env", f"PYTHONPATH={ROOT}", *PEER[2:], *command]
        if command
        else ["sleep", "9999"],
        "ports": list(ports),
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}},
        "spec": spec,
    }


def service(name: str, protocols: Sequence[str] = ("SCTP",), **spec: Any) -> dict[str, Any]:
    ports = [
        {"name": one.lower(), "port": 70, "targetPort": f"echo-{one.lower()}", "protocol": one}
        for one in protocols
    ]
    found = {"selector": {"app": "echo"}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": found}


ECHO_PORTS = [
    {"name": f"echo-{one.lower()}", "containerPort": PORT, "protocol": one} for one in ("SCTP", "TCP", "UDP")
]
OBJECTS = [
    pod("one", "echo", "serve", "one", str(PORT), ports=ECHO_PORTS),
    pod("two", "echo", "serve", "two", str(PORT), ports=ECHO_PORTS),
    pod("client", "client"),
    pod("other", "other"),
    service("all", ("SCTP", "TCP", "UDP"), type="LoadBalancer", externalIPs=[EXTERNAL]),
    service("kept", sessionAffinity="ClientIP"),
    service("head", clusterIP="None"),
    service("nobody", selector={"app": "nobody"}),
    service("mute", selector={"app": "other"}, ports=[{"port": PORT, "protocol": "SCTP"}]),
]


class Peers:
    """The pods, and what they say to each other; ``ips`` are theirs and those of the Services."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.ips: dict[str, str] = {}
        self.service: dict[str, Any] = {}

    def apply(self, *objects: dict[str, Any]) -> None:
        self.cluster.run("apply", "-f", "-", stdin="---\n".join(yaml.safe_dump(each) for each in objects))

    def learn(self) -> None:
        """Find out who has which address."""
        for one in self.cluster.json("pods,services")["items"]:
            own = one["status"].get("podIP") or one["spec"].get("clusterIP")
            self.ips[one["metadata"]["name"]] = own
            self.service = one if one["metadata"]["name"] == "all" else self.service

    def balancer(self) -> str:
        """Return the address of the Service for the outside, "" until there is one."""
        found = self.cluster.json("service", "all")["status"].get("loadBalancer", {}).get("ingress")
        return str(found[0]["ip"]) if found else ""

    def goal(self, name: str, port: int = 70, protocol: str = "sctp") -> str:
        return f"{protocol}/{self.ips.get(name, name)}/{port}"

    def argv(self, name: str, *words: str) -> list[str]:
        return ["exec", name, "--", *PEER[:2], "env", f"PYTHONPATH={ROOT}", *PEER[2:], *words]

    def ask(self, name: str, *goals: str, seconds: float = 5) -> list[Any]:
        """Return who answered the pod at each goal, and from which address it saw the pod come."""
        found: list[Any] = json.loads(self.cluster.out(*self.argv(name, "ask", str(seconds), *goals)))
        return found

    def events(self, kind: str, name: str, reason: str) -> list[str]:
        return [
            one["message"]
            for one in self.cluster.json("events")["items"]
            if (one["involvedObject"]["kind"], one["involvedObject"]["name"], one["reason"])
            == (kind, name, reason)
        ]


@pytest.fixture(scope="module")
def peers(cluster: Cluster) -> Peers:
    made = Peers(cluster)
    made.apply(*OBJECTS)
    cluster.ready("app in (echo, client, other)")
    made.learn()
    goals = [made.goal(name, PORT) for name in ("one", "two")]
    goals += [made.goal("all", protocol=protocol) for protocol in ("sctp", "tcp", "udp")]
    eventually(lambda: all(made.ask("client", *goals, seconds=1)))
    eventually(made.balancer)
    return made


def test_a_service_is_reached_at_each_address_and_sees_the_pod_that_one_is(peers: Peers) -> None:
    node = peers.cluster.json("nodes")["items"][0]["status"]["addresses"][0]["address"]
    (number,) = {port["nodePort"] for port in peers.service["spec"]["ports"]}
    goals = [peers.goal("one", PORT), peers.goal("all"), peers.goal(node, number)]
    goals += [peers.goal(peers.balancer()), peers.goal(EXTERNAL)]
    # One number, three protocols.
    goals += [peers.goal("all", protocol=protocol) for protocol in ("tcp", "udp")]
    answers = eventually(lambda: all(found := peers.ask("client", *goals)) and found)
    masked = 5 if "userspace" in START else None
    seen = [answer and answer[1] for number, answer in enumerate(answers) if number != masked]
    assert seen == [peers.ips["client"]] * len(seen)
    assert answers[0][0] == "one"


def test_associations_are_spread_unless_clients_keep_their_endpoint(peers: Peers) -> None:
    answers = peers.ask("client", *[peers.goal("all")] * 12, *[peers.goal("kept")] * 6)
    assert {name for name, _ in answers[:12]} == {"one", "two"}
    assert len({name for name, _ in answers[12:]}) == 1


def test_a_pod_reaches_itself_through_its_service(peers: Peers) -> None:
    answers = peers.ask("one", *[peers.goal("all")] * 12)
    assert {name for name, _ in answers} == {"one", "two"}
    assert {seen for _, seen in answers} == {peers.ips["one"]}


def test_the_ports_of_a_headless_service_are_found_by_name(peers: Peers) -> None:
    name = "_sctp._sctp.head.default.svc.cluster.local"
    said = peers.cluster.out("exec", "client", "--", "nslookup", "-type=srv", name)
    hosts = [f"{peers.ips[pod].replace('.', '-')}.head.default.svc" for pod in ("one", "two")]
    assert all(f"0 50 {PORT} {host}" in said for host in hosts), (
        said
    )  # they share a weight of 100, as from CoreDNS


def test_where_nobody_serves_the_kernel_says_so(peers: Peers) -> None:
    goals = [f"{peers.ips['nobody']}/70", f"{peers.ips['all']}/71", f"{peers.ips['all']}/70"]
    refused = ["EPERM", "ECONNREFUSED"]
    said = peers.cluster.out(*peers.argv("client", "begin", *goals))
    assert json.loads(said) == [refused, refused, ["", ""]]


def test_why_begins_an_association(peers: Peers) -> None:
    said = peers.cluster.run("why", "svc/all", "--from", "client")
    assert f"from default/client to {peers.ips['all']}:70/SCTP: answered" in said.stdout
    said = peers.cluster.run("why", "svc/mute", "--from", "client", code=1)
    words = f"broken: connection: from default/client to {peers.ips['mute']}:{PORT}/SCTP: refused"
    assert words in said.stdout


def test_what_this_machine_cannot_publish_is_told_and_all_else_is(peers: Peers) -> None:
    number = peers.service["spec"]["ports"][0]["nodePort"]
    (told,) = eventually(lambda: peers.events("Service", "all", "NotPublished"))
    assert told.startswith(f"SCTP is not published at 127.0.0.1:{number}, 127.0.")

    def datagram() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1)
            asking.connect(("127.0.0.1", number))
            try:
                asking.send(b"?")
                return asking.recv(1000)
            except OSError:
                return b""

    assert json.loads(eventually(datagram))[0] in ("one", "two")

    def stream() -> bytes:  # another program's
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 5) as connection:
            return connection.recv(1000)
        return b""

    assert json.loads(eventually(stream))[0] in ("one", "two")
    assert peers.events("Service", "all", "PublishFailed") == []
    # What would be published is forwarded, with the publisher's address: what lacks is who listens.
    words = "label=minikctl.dev/role=publisher"
    (publisher,) = peers.cluster.containers(words, "label=minikctl.dev/service-name=all")
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", publisher)
    ((_, seen),) = peers.ask("client", peers.goal(address))
    assert seen == address


@pytest.mark.skipif("cni" in START, reason="plugins publish it: see test_cni")
def test_a_pod_with_a_host_port_of_sctp_runs(peers: Peers) -> None:
    sctp, tcp = free_port(), free_port()
    ports = [
        {"containerPort": 38, "hostPort": sctp, "protocol": "SCTP"},
        {"containerPort": 8080, "hostPort": tcp},
    ]
    made = pod("host-port", "host-port", ports=ports)
    del made["spec"]["containers"][0]["command"]
    peers.apply(made)
    peers.cluster.ready("app=host-port")
    assert "host-port" in curl(f"http://127.0.0.1:{tcp}/")
    (told,) = eventually(lambda: peers.events("Pod", "host-port", "NotEnforced"))
    assert told.startswith(f"hostPort {sctp}/SCTP is not published: ")


POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "echo"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "echo"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"app": "client"}}}],
                "ports": [{"protocol": "SCTP", "port": "echo-sctp"}],
            }
        ],
    },
}


def test_policies_judge_who_may_begin_and_associations_outlive_them(peers: Peers) -> None:
    goals = [peers.goal("all", protocol=protocol) for protocol in ("sctp", "tcp", "udp")]
    words = [PROGRAM, *peers.argv("client", "talk", peers.ips["all"], "70", "25")]
    peers.apply(POLICY)
    # The servers may begin nothing, and answer all the same.
    assert eventually(lambda: peers.ask("client", *goals[1:], seconds=0.7) == [None, None])
    assert peers.ask("client", goals[0])[0]
    assert peers.ask("other", goals[0], seconds=0.7) == [None]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=peers.cluster.environment) as talking:
        assert talking.stdout is not None
        first = talking.stdout.readline()
        peers.apply({**POLICY, "spec": {**POLICY["spec"], "ingress": []}})
        assert eventually(lambda: peers.ask("client", goals[0], seconds=0.7) == [None])
        assert [first, *talking.stdout] == [first] * 25
    peers.cluster.run("delete", "networkpolicy", "echo")


def test_new_associations_go_to_the_endpoints_that_are_left(peers: Peers) -> None:
    peers.cluster.run("delete", "pod", "two")

    def met() -> list[str]:
        return [answer and answer[0] for answer in peers.ask("client", *[peers.goal("all")] * 8, seconds=1)]

    eventually(lambda: met() == ["one"] * 8)
