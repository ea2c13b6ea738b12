"""A cluster and who else is on the machine: other clusters, networks, VPNs, web servers; and what it leaves behind."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import apps, private_engine
from tests.e2e.conftest import Cluster, eventually
from tests.e2e.private_engine import PATH, PrivateEngine

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not private_engine.is_possible(), reason="needs root, dockerd, nsenter and ip"),
]
LISTEN = """
import socket, sys
listener = socket.create_server(("", int(sys.argv[1])), backlog=512)
print("ready", flush=True)
while True:
    listener.accept()[0].close()
"""
NODE_PORT = {"type": "NodePort", "ports": [{"port": 80, "targetPort": 8080, "nodePort": 31080}]}
COMMANDS = {
    "links": "ip -o link",
    "addresses": "ip -o address",
    "routes": "ip route show table all",
    "rules": "ip rule",
    "netfilter": "nft --stateless list ruleset",
    "nat": "iptables -t nat -S",
    "filter": "iptables -S",
}


class Machine:
    """An engine with a network of its own, where only this test's clusters are."""

    def __init__(self, engine: PrivateEngine) -> None:
        self.engine = engine

    def run(self, *words: str) -> str:
        """Return what a command prints in that network."""
        argv = [*self.engine.before, *words]
        done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": PATH}, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def get(self, url: str, *words: str) -> str:
        """Return what is answered at a URL, "" while nobody does."""
        argv = [*self.engine.before, "curl", "-sSf", "-m", "2", *words, url]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def state(self) -> dict[str, list[str]]:
        """Return what the machine has of interfaces, addresses, routes, rules and networks."""
        found = {name: sorted(self.run(*command.split()).splitlines()) for name, command in COMMANDS.items()}
        return {**found, "networks": sorted(self.engine.docker("network", "ls", "-q").stdout.split())}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Yield a machine with two VPNs: one that has its route where all are, one with a table of its own."""
    with private_engine.running() as engine:
        found = Machine(engine)
        for name, address in (("vpn0", "10.201.0.9/16"), ("vpn1", "10.202.0.9/32")):
            found.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
            found.run("ip", "address", "add", address, "dev", name)
            for end in (name, f"{name}-far"):
                found.run("ip", "link", "set", end, "up")
        found.run("ip", "route", "add", "10.202.0.0/16", "dev", "vpn1", "table", "52")
        found.run("ip", "rule", "add", "lookup", "52", "priority", "5270")
        # The first network of an engine adds rules of the engine's own, which stay.
        engine.docker("network", "rm", engine.docker("network", "create", "passing").stdout.strip())
        eventually(lambda: "tentative" not in found.run("ip", "-o", "address"))
        yield found


@pytest.fixture(scope="module")
def clusters(machine: Machine) -> Iterator[tuple[Cluster, Cluster, dict[str, list[str]]]]:
    """Yield two clusters with state directories of their own, and what the machine was like before them."""
    first = Cluster(
        tempfile.mkdtemp(prefix="minikctl-e2e-"), "one", machine.engine.before, machine.engine.address
    )
    second = Cluster(
        tempfile.mkdtemp(prefix="minikctl-e2e-"), "two", machine.engine.before, machine.engine.address
    )
    before = machine.state()
    try:
        for cluster in (first, second):
            cluster.run("cluster", "start", "--egress=false")
            cluster.run("apply", "-f", "-", stdin=apps.WEB)
        for cluster in (first, second):
            cluster.run("rollout", "status", "deploy/web", "--timeout=60s")
        yield first, second, before
    finally:
        for cluster in (first, second):
            cluster.run("cluster", "delete", code=None)
            shutil.rmtree(cluster.home, ignore_errors=True)


def gateway(cluster: Cluster) -> str:
    return str(cluster.json("nodes")["items"][0]["status"]["addresses"][0]["address"])


def service(name: str, **spec: Any) -> str:
    spec = {"selector": {"app": "web"}, **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


def ingress(host: str) -> str:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}}
    return json.dumps({**head, "spec": {"rules": rules}})


def reached(machine: Machine, cluster: Cluster) -> str:
    """Return the pod that answers for the host by the cluster's Ingress."""
    resolved = ("--resolve", f"web.hey:80:{cluster.status()['ingress']}")
    return str(eventually(lambda: machine.get("http://web.hey/", *resolved), 60)).strip()


def told(cluster: Cluster, name: str) -> str:
    return " ".join(
        f"{event['reason']}: {event['message']}"
        for event in cluster.json("events")["items"]
        if event["involvedObject"]["name"] == name
    )


def names(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.json("pods")["items"]}


Clusters = tuple[Cluster, Cluster, dict[str, list[str]]]


def test_clusters_keep_out_of_ranges_that_others_have(clusters: Clusters) -> None:
    first, second, _ = clusters
    assert [gateway(each) for each in (first, second)] == ["10.203.0.1", "10.204.0.1"]


def test_the_same_host_leads_to_each_clusters_own_pods(clusters: Clusters, machine: Machine) -> None:
    for cluster in clusters[:2]:
        cluster.run("apply", "-f", "-", stdin=ingress("web.hey"))
        assert reached(machine, cluster) in names(cluster)


def test_a_node_port_is_the_first_clusters_until_it_gives_it_up(clusters: Clusters, machine: Machine) -> None:
    first, second, _ = clusters
    first.run("apply", "-f", "-", stdin=service("port", **NODE_PORT))
    assert eventually(lambda: machine.get("http://127.0.0.1:31080/")).strip() in names(first)
    second.run("apply", "-f", "-", stdin=service("port", **NODE_PORT))
    eventually(lambda: "PublishFailed" in told(second, "port"))
    assert machine.get("http://127.0.0.1:31080/").strip() in names(first)
    first.run("delete", "service", "port")
    eventually(lambda: machine.get("http://127.0.0.1:31080/").strip() in names(second))


def test_pods_of_different_clusters_are_apart(clusters: Clusters) -> None:
    first, second, _ = clusters
    target = second.json("pods")["items"][0]["status"]["podIP"]
    asking = next(iter(names(first)))
    done = first.run("exec", asking, "--", "nc", "-w", "2", "-z", target, "8080", code=None)
    assert done.returncode != 0


def test_a_vpn_that_takes_pods_addresses_is_told_and_forgotten(clusters: Clusters, machine: Machine) -> None:
    first, second, _ = clusters
    machine.run("ip", "route", "add", "10.203.0.0/24", "dev", "vpn0")
    words = (
        "this machine's route to 10.203.0.0/24 leads to vpn0, although pods have addresses of 10.203.0.0/20: "
        "published ports, Ingress and probes do not reach them"
    )
    try:
        eventually(lambda: f"Ready, but {words}" in first.out("cluster", "status"))
        eventually(lambda: f"RouteCollision: {words}" in told(first, "minikctl-one"))
        assert second.status()["node"] == "Ready"
    finally:
        machine.run("ip", "route", "delete", "10.203.0.0/24", "dev", "vpn0")
    eventually(lambda: first.status()["node"] == "Ready")
    assert reached(machine, first)


def test_a_cluster_that_goes_leaves_the_other_alone_and_nothing_behind(
    clusters: Clusters, machine: Machine
) -> None:
    first, second, before = clusters
    kept = first.containers()
    second.run("cluster", "delete")
    assert first.containers() == kept
    assert reached(machine, first)
    first.run("cluster", "delete")
    assert machine.state() == before
    assert machine.engine.docker("ps", "-aq").stdout == ""
    assert machine.engine.docker("volume", "ls", "-q").stdout == ""


def test_a_web_server_at_all_addresses_leaves_a_cluster_without_its_ingress_only(machine: Machine) -> None:
    cluster = Cluster(
        tempfile.mkdtemp(prefix="minikctl-e2e-"), "three", machine.engine.before, machine.engine.address
    )
    before = machine.state()
    argv = [*machine.engine.before, sys.executable, "-c", LISTEN, "80"]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        said = cluster.run("cluster", "start", "--egress=false", "--network", "cni", "--nodes", "2").stderr
        place = f"{cluster.status()['ingress']}:80"
        assert f"warning: ingress cannot run: {pathlib.Path(sys.executable).name}" in said
        assert f"(process {server.pid}) has {place}; it starts by itself once that is free" in said
        assert f"has {place}" in cluster.status()["systemPods"]["ingress"]
        cluster.run("apply", "-f", "-", stdin=apps.WEB + "---\n" + ingress("web.hey"))
        cluster.run("rollout", "status", "deploy/web", "--timeout=60s")
    finally:
        server.kill()
        server.communicate()
    try:
        assert reached(machine, cluster) in names(cluster)
    finally:
        cluster.run("cluster", "delete", code=None)
        assert machine.state() == before, "plugins leave nothing behind either"
        shutil.rmtree(cluster.home, ignore_errors=True)
