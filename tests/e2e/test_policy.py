"""NetworkPolicy on real packets between real pods: by pod address, by service address and by name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.e2e import sctp
from tests.e2e.conftest import Cluster, docker, eventually, spare_node_port
from tests.packets.lab import PROCESS
from tests.plan.netpol import generated, grid
from tests.plan.netpol.grid import Grid, Traced, policy

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DNS = "10.96.0.10"
SECONDS = 0.4


def pod(namespace: str, name: str, **spec: Any) -> dict[str, Any]:
    found = grid.pod(namespace, name, "")
    del found["status"]
    main = {"image": "minikctl-demo:latest", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"]}
    found["spec"]["containers"][0] |= main
    found["spec"] |= {"terminationGracePeriodSeconds": 0, **spec}
    return found


def service(namespace: str, name: str) -> dict[str, Any]:
    ports = [{"name": f"p{port}", "port": port} for port in (80, 81)]
    meta = {"namespace": namespace, "name": name}
    spec = {"selector": {"pod": name}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


class World:
    """The grid as real pods, each with a process in its network that serves and probes."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.grid = Grid()
        self.pids: dict[str, int] = {}
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def apply(self, *objects: Any) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.cluster.run("apply", "-f", "-", stdin=text)

    def start(self) -> None:
        spaces = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"ns": name}}}
            for name in self.grid.namespaces
        ]
        made = [(pod(*name.split("/")), service(*name.split("/"))) for name in self.grid.pods]
        self.apply(*spaces, *(one for pair in made for one in pair))
        for name in self.grid.pods:
            space, own = name.split("/")
            self.cluster.ready(f"pod={own}", space)
            status = self.cluster.json("pod", own, "-n", space)["status"]
            self.grid.pods[name]["status"] = status
        for name in self.grid.pods:
            self.serve(name)

    def serve(self, name: str) -> None:
        space, own = name.split("/")
        labels = ("role=pause", f"pod-namespace={space}", f"pod-name={own}")
        (found,) = self.cluster.containers(*(f"label=minikctl.dev/{label}" for label in labels))
        pid = docker("inspect", "-f", "{{.State.Pid}}", found)
        self.pids[name] = int(pid)
        argv = ["nsenter", "-t", pid, "-n", sys.executable, "-c", PROCESS, "[80, 81]", DNS]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes[name] = process
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def probe(self, wanted: dict[str, list[tuple[str, int, str]]]) -> dict[str, list[bool]]:
        for name, probes in wanted.items():
            stdin = self.processes[name].stdin
            assert stdin is not None
            stdin.write(json.dumps([probes, SECONDS]) + "\n")
            stdin.flush()
        found = {}
        for name in wanted:
            stdout = self.processes[name].stdout
            assert stdout is not None
            found[name] = json.loads(stdout.readline())
        return found

    def allowed(self, source: str, target: str, port: int = 80) -> bool:
        return self.probe({source: [(self.grid.ip(target), port, "tcp")]})[source][0]

    def reached(self, source: str, target: str) -> set[str]:
        """Return what the target gets from the source, of both ports by each protocol, as ``80/tcp``."""
        probes = [(self.grid.ip(target), port, protocol) for port in (80, 81) for protocol in ("tcp", "udp")]
        opened = self.probe({source: probes})[source]
        found = {f"{probe[1]}/{probe[2]}" for probe, one in zip(probes, opened, strict=True) if one}
        ends = (self.pids[source], self.pids[target])
        return found | {f"{port}/sctp" for port in sctp.arriving(*ends, self.grid.ip(target), (80, 81))}

    def enforce(self, policies: list[dict[str, Any]]) -> None:
        """Have these policies and no others."""
        self.grid.policies = [
            {**one, "metadata": {**one["metadata"], "name": f"policy-{number}"}}
            for number, one in enumerate(policies)
        ]
        kept = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in self.grid.policies}
        for one in self.cluster.json("networkpolicies", "-A")["items"]:
            meta = one["metadata"]
            if (meta["namespace"], meta["name"]) not in kept:
                self.cluster.run("delete", "networkpolicy", meta["name"], "-n", meta["namespace"])
        if policies:
            self.apply(*self.grid.policies)


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    made = World(cluster)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(autouse=True)
def open_again(world: World) -> Iterator[None]:
    yield
    world.enforce([])


def differences(world: World) -> list[str]:
    """Return the connections whose real fate is not what the oracle says."""
    traced = Traced(world.grid)
    (dns,) = world.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"]
    world.grid.pods["dns"] = dns
    services = {
        name: world.cluster.json("service", name.split("/")[1], "-n", name.split("/")[0])["spec"]["clusterIP"]
        for name in world.grid.pods
        if name != "dns"
    }
    names = [*services]
    ways = {
        "address": world.grid.ip,
        "service": services.__getitem__,
        "name": lambda name: "{1}.{0}.svc.cluster.local".format(*name.split("/")),
    }
    probes = [(target, way, port) for target in names for way in ways for port in (80, 81)]
    found = world.probe(
        {source: [(ways[way](target), port, "tcp") for target, way, port in probes] for source in names}
    )
    wrong = []
    for source in names:
        asks = world.grid.oracle(source, "dns", 53, "udp").allowed
        for (target, way, port), opened in zip(probes, found[source], strict=True):
            wanted = traced.allowed(source, target, port) and (way != "name" or asks)
            if opened != wanted:
                wrong.append(f"{source} -> {target}:{port} by {way} is {opened}")
    del world.grid.pods["dns"]
    return wrong


@seed(3)
@settings(
    max_examples=4,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(generated.grids())
def test_generated_policies(world: World, grid: Grid) -> None:
    world.enforce(grid.policies)
    deadline = time.monotonic() + 60
    while (found := differences(world)) and time.monotonic() < deadline:
        pass  # the rules are not there yet; asking all takes a while
    assert found == []


ALL = {f"{port}/{protocol}" for port in (80, 81) for protocol in ("tcp", "udp", "sctp")}


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize(
    ("ports", "reached"),
    [
        ([], ALL),
        ([{"port": 80}], {"80/tcp"}),
        ([{"protocol": "UDP"}], {"80/udp", "81/udp"}),
        ([{"protocol": "SCTP", "port": 80}], {"80/sctp"}),
        ([{"port": 80, "endPort": 81}], {"80/tcp", "81/tcp"}),
        ([{"protocol": "SCTP", "port": 70, "endPort": 80}], {"80/sctp"}),
        ([{"protocol": "UDP", "port": "serve-81-udp"}], {"81/udp"}),
        ([{"protocol": "SCTP", "port": "serve-81-sctp"}, {"port": "serve-80-tcp"}], {"81/sctp", "80/tcp"}),
        ([{"protocol": "UDP", "port": "serve-80-tcp"}], set()),
    ],
)
def test_ports_of_every_protocol(world: World, direction: str, ports: list[Any], reached: set[str]) -> None:
    eventually(lambda: world.allowed("y/a", "x/a"))
    space, peer, end = ("x", "y", "from") if direction == "ingress" else ("y", "x", "to")
    rule: dict[str, Any] = {end: [{"namespaceSelector": {"matchLabels": {"ns": peer}}}], "ports": ports}
    spec: dict[str, Any] = {"podSelector": {"matchLabels": {"pod": "a"}}, direction: [rule]}
    world.enforce([policy(namespace=space, policyTypes=[direction.capitalize()], **spec)])
    eventually(lambda: world.reached("y/a", "x/a") == reached)
    eventually(lambda: world.allowed("z/a", "x/a") == (direction == "egress"))


FLOWS = """
import socket, sys
tcp = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect((sys.argv[1], 80))
for one in (tcp, udp):
    one.settimeout(0.5)
while True:
    said = []
    for one in (tcp, udp):
        try:
            one.send(b"?")
            said.append("answered" if one.recv(9) else "ended")
        except OSError:
            said.append("silent")
    print(*said, flush=True)
    sys.stdin.readline()
"""
ECHO = """
import socket
server = socket.create_server(("", 0))
print(server.getsockname()[1], flush=True)
peer, _ = server.accept()
while data := peer.recv(9):
    peer.send(data)
"""


def _asked(client: subprocess.Popen[str]) -> str:
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write("\n")
    client.stdin.flush()
    return client.stdout.readline()


def test_connections_outlive_a_policy_and_udp_flows_do_not(world: World) -> None:
    eventually(lambda: world.reached("y/a", "x/a") == ALL)  # policies of before are gone
    inside = [["nsenter", "-t", str(world.pids[name]), "-n", sys.executable, "-c"] for name in ("x/a", "y/a")]
    with subprocess.Popen([*inside[0], ECHO], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        words = [*inside[1], FLOWS, world.grid.ip("x/a"), server.stdout.readline().strip()]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            try:
                assert client.stdout is not None
                assert "ended" not in client.stdout.readline()
                eventually(lambda: _asked(client) == "answered answered\n", pause=0.05)
                world.enforce([policy(podSelector={"matchLabels": {"pod": "a"}}, policyTypes=["Ingress"])])
                # The flow is forgotten just after the rules are there, which have to be first.
                eventually(lambda: _asked(client) == "answered silent\n", pause=0.05)
            finally:
                client.kill()
                server.kill()


def test_changes_arrive_within_milliseconds(world: World) -> None:
    rule = {"from": [{"namespaceSelector": {"matchLabels": {"team": "friends"}}}]}

    def seconds_until(allowed: bool) -> float:
        begun = time.monotonic()
        eventually(lambda: world.allowed("x/a", "y/a") == allowed, pause=0.01)
        return time.monotonic() - begun

    def taken() -> list[float]:
        """Return how long each change took to arrive; a command of the command line is over when it is stored."""
        world.enforce([])
        seconds_until(True)
        world.enforce([policy(namespace="y", policyTypes=["Ingress"])])
        found = [seconds_until(False)]
        world.enforce([policy(namespace="y", ingress=[rule])])
        world.cluster.run("label", "namespace", "x", "team=friends")
        found.append(seconds_until(True))
        world.cluster.run("label", "namespace", "x", "team-")
        return [*found, seconds_until(False)]

    # A machine that is busy may be late once; what is late by itself is so each time.
    rounds: list[list[float]] = []
    while max(least := [min(each) for each in zip(*rounds, strict=True)], default=9) > 1 and len(rounds) < 8:
        rounds.append(taken())
    assert max(least) <= 1, rounds
    eventually(lambda: world.allowed("x/a", "z/a"))


def test_a_pod_is_isolated_before_its_first_instruction(world: World) -> None:
    """And whoever may talk to it, or it to, can from its first packet on."""
    friend = {"from": [{"podSelector": {"matchLabels": {"pod": "early"}}}]}
    world.enforce(
        [
            policy(namespace="z", policyTypes=["Egress"], egress=[{"to": [{"podSelector": {}}]}]),
            policy(namespace="z", podSelector={"matchLabels": {"pod": "a"}}, ingress=[friend]),
        ]
    )
    # A first packet that is dropped is sent again after a second: too late.
    ask = "nc -w 1 {} 80 -e true 2>/dev/null && echo {}".format
    script = f"{ask(world.grid.ip('z/a'), 'arrived')}; {ask(world.grid.ip('x/a'), 'escaped')}; true"
    init = {"name": "first", "image": "minikctl-infra:latest", "command": ["sh", "-c", script]}
    early = pod("z", "early", initContainers=[{**init, "imagePullPolicy": "IfNotPresent"}])
    world.apply(early)
    world.cluster.ready("pod=early", "z")
    assert world.cluster.out("logs", "early", "-c", "first", "-n", "z") == "arrived\n"
    world.cluster.run("delete", "pod", "early", "-n", "z")


def test_node_ports_are_the_nodes_and_pass(world: World) -> None:
    port = spare_node_port()
    ports = [{"name": "p80", "port": 80, "nodePort": port}]
    outer = service("x", "outer")
    outer["spec"] = {"type": "NodePort", "selector": {"pod": "a"}, "ports": ports}
    world.enforce([policy(policyTypes=["Ingress"])])
    world.apply(outer)
    # It closes at once without a word, which is an answer: the packets arrive.
    words = ["curl", "-sS", "-m", "2", f"http://127.0.0.1:{port}/"]
    eventually(lambda: subprocess.run(words, capture_output=True, check=False).returncode in (52, 56))
    world.cluster.run("delete", "service", "outer", "-n", "x")


def test_trace_says_which_rule_decides_and_proves_it(world: World) -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}], "ports": [{"port": "serve-80-tcp"}]}
    world.enforce([policy(podSelector={"matchLabels": {"pod": "a"}}, ingress=[rule])])
    trace = ("netpol", "trace", "x/c", "svc/a:80", "-n", "x")
    eventually(lambda: "probe    no answer" in world.cluster.run(*trace, code=None).stdout)
    allowed = world.cluster.run("netpol", "trace", "x/b", "x/a:80")
    assert "rule 1 of ingress in policy policy-0 allows it" in allowed.stdout
    assert "probe    connected" in allowed.stdout
    denied = world.cluster.run(*trace, code=1)
    assert "policy policy-0 isolates x/a for ingress, and no rule allows it" in denied.stdout
    assert "probe    no answer" in denied.stdout
    assert denied.stderr == ""
    listening = world.cluster.run("netpol", "trace", "x/a", "y/a:82")
    assert "probe    refused" in listening.stdout
    assert "denied" in world.cluster.run("netpol", "trace", "192.0.2.7", "x/a:80", code=1).stdout


def test_trace_sees_datagrams_where_they_arrive(world: World) -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}]}
    world.enforce([policy(podSelector={"matchLabels": {"pod": "a"}}, ingress=[rule])])
    seen = {
        ("x/b", "x/a:80", "UDP"): ("arrived, and was answered", 0),
        ("x/b", "x/a:9", "UDP"): ("arrived, but nothing listens on that port", 0),
        ("x/c", "x/a:80", "UDP"): ("did not arrive", 1),
        ("x/b", "x/a:80", "SCTP"): ("arrived", 0),
        ("x/c", "x/a:80", "SCTP"): ("did not arrive", 1),
    }

    def traced(source: str, target: str, protocol: str, words: str, code: int) -> bool:
        said = world.cluster.run("netpol", "trace", source, target, f"--protocol={protocol}", code=None)
        return (said.returncode, said.stderr, f"probe    {words}" in said.stdout) == (code, "", True)

    for asked, wanted in seen.items():
        eventually(lambda: traced(*asked, *wanted))  # noqa: B023
    world.enforce([policy(podSelector={"matchLabels": {"pod": "c"}}, policyTypes=["Egress"])])
    for protocol in ("UDP", "SCTP"):
        words = "not sent: the pod's own network lets nothing out to there"
        eventually(lambda: traced("x/c", "x/a:80", protocol, words, 1))  # noqa: B023
