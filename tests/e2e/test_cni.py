"""Pods' network by real CNI plugins, on a cluster of two nodes: what users of such networks rely on."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e import usrsctp
from tests.e2e.conftest import ROOT, Cluster, curl, docker, eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
]
IMAGE = "minikctl-demo:latest"
SLOW = """#!/bin/sh
# A link of a chain that hands on what there is, but is stuck for one pod.
case $CNI_COMMAND$CNI_ARGS in
VERSION*) echo '{"supportedVersions": ["1.0.0"]}' ;;
ADD*K8S_POD_NAME=stuck*) sleep 600 ;;
ADD*) sed 's/.*"prevResult": \\(.*\\)}$/\\1/' ;;
esac
"""


def host_state() -> dict[str, list[str]]:
    """Return the machine's interfaces, routes, neighbours' tables and rules, as far as they last."""
    commands = {
        "links": "ip -o link show",
        "routes": "ip route show table all",
        "rules": "ip rule show",
        "nat": "iptables -t nat -S",
        "filter": "iptables -S",
        "networks": "docker network ls --format {{.Name}}",
        "leases": "ls -R /var/lib/cni",
    }
    found: dict[str, list[str]] = {}
    for name, command in commands.items():
        text = subprocess.run(command.split(), capture_output=True, text=True, check=False).stdout
        found[name] = sorted(text.splitlines())
    return found


def ours(state: dict[str, list[str]], words: tuple[str, ...]) -> list[str]:
    """Return the lines that have one of the words."""
    return [line for lines in state.values() for line in lines if any(word in line for word in words)]


@pytest.fixture(scope="module")
def cni() -> Iterator[Cluster]:
    """Yield a cluster of two nodes with the built-in configuration."""
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, f"t{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", "--network", "cni", "--nodes", "2")
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


def pod(name: str, node: str = "", annotations: dict[str, str] | None = None, **port: Any) -> dict[str, Any]:
    """Return a pod of the demo app."""
    spec: dict[str, Any] = {"containers": [{"name": "web", "image": IMAGE, "imagePullPolicy": "Never"}]}
    spec["terminationGracePeriodSeconds"] = 1
    spec["containers"][0]["ports"] = [{"containerPort": 8080, **port}]
    spec["containers"][0]["readinessProbe"] = {
        "httpGet": {"port": 8080},
        "periodSeconds": 1,
        "timeoutSeconds": 10,
    }
    if node:
        spec["nodeName"] = node
    metadata = {"name": name, "labels": {"app": name}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def apply(cluster: Cluster, *objects: dict[str, Any]) -> None:
    cluster.run("apply", "-f", "-", stdin="---\n".join(yaml.safe_dump(each) for each in objects))


def ip(cluster: Cluster, name: str) -> str:
    return str(cluster.json("pod", name)["status"].get("podIP", ""))


def node_container(cluster: Cluster, node: str) -> str:
    return running(cluster, f"node={node}")


def inside(cluster: Cluster, container: str, *argv: str) -> str:
    """Return what a command prints in the network namespace of a container."""
    agent = running(cluster, "container=agent")
    pid = docker("inspect", "-f", "{{.State.Pid}}", container)
    return docker("exec", agent, "nsenter", f"--net=/proc/{pid}/ns/net", *argv)


def refusals(cluster: Cluster, name: str) -> str:
    """Return what was told of sandboxes of a pod that could not be made."""
    return " ".join(
        event["message"]
        for event in cluster.json("events")["items"]
        if event["involvedObject"]["name"] == name and event["reason"] == "FailedCreatePodSandBox"
    )


def running(cluster: Cluster, *labels: str) -> str:
    """Return the ids of the running containers with these labels."""
    wanted = [f"cluster={cluster.name}", *labels]
    return docker(
        "ps", "-q", "--no-trunc", *(w for each in wanted for w in ("--filter", f"label=minikctl.dev/{each}"))
    )


@pytest.fixture(scope="module")
def pods(cni: Cluster) -> list[str]:
    """Return the names of two pods on different nodes; the first has a host port and limits."""
    first, second = f"minikctl-{cni.name}", f"minikctl-{cni.name}-2"
    limits = {"kubernetes.io/ingress-bandwidth": "10M", "kubernetes.io/egress-bandwidth": "20M"}
    apply(cni, pod("one", first, limits, hostPort=9090), pod("two", second))
    for name in ("one", "two"):
        cni.ready(f"app={name}")
    return ["one", "two"]


def test_pods_of_all_nodes_reach_each_other_as_they_are(cni: Cluster, pods: list[str]) -> None:
    one, two = (ip(cni, name) for name in pods)
    assert one.rpartition(".")[0] != two.rpartition(".")[0], "each node has its own range"
    node = f"minikctl-{cni.name}-2"
    assert (
        eventually(lambda: cni.json("node", node)["spec"].get("podCIDR")) == f"{two.rpartition('.')[0]}.0/24"
    )
    said = cni.out("exec", "one", "--", "curl", "-sS", "-m", "5", f"http://{two}:8080/")
    assert f"you are {one}," in said
    said = cni.out("exec", "two", "--", "curl", "-sS", "-m", "5", f"http://{one}:8080/")
    assert f"you are {two}," in said
    assert "one says" in curl(f"http://{one}:8080/")
    pause = running(cni, "pod-name=one", "role=pause")
    assert docker("inspect", "-f", "{{.HostConfig.NetworkMode}}", pause) == "none"


@pytest.mark.usefixtures("pods")
def test_services_names_and_balancers_are_there(cni: Cluster) -> None:
    cni.run("expose", "pod", "two", "--port=80", "--target-port=8080", "--type=LoadBalancer")
    said = eventually(
        lambda: cni.run("exec", "one", "--", "curl", "-sS", "-m", "3", "http://two/", code=None).stdout
    )
    assert "two says" in said
    address = eventually(lambda: cni.json("svc", "two")["status"].get("loadBalancer", {}).get("ingress"))[0][
        "ip"
    ]
    assert "two says" in curl(f"http://{address}/")


@pytest.mark.usefixtures("pods")
def test_host_ports_and_limits_are_those_of_plugins(cni: Cluster) -> None:
    node = node_container(cni, f"minikctl-{cni.name}")
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", node)
    assert "one says" in curl(f"http://{address}:9090/")
    assert "one says" in cni.out("exec", "two", "--", "curl", "-sS", "-m", "5", f"http://{address}:9090/")
    assert "9090" in inside(cni, node, "iptables", "-t", "nat", "-S")


@pytest.mark.skipif(not usrsctp.is_possible(), reason="no stack of SCTP in user space can be used here")
@pytest.mark.usefixtures("pods")
def test_associations_cross_nodes_and_reach_host_ports(cni: Cluster) -> None:
    apply(cni, pod("sctp", f"minikctl-{cni.name}", hostPort=3868, protocol="SCTP"))
    cni.ready("app=sctp")
    node = node_container(cni, f"minikctl-{cni.name}")
    address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", node)
    peer = [sys.executable, "-m", "tests.e2e.usrsctp"]
    serving = subprocess.Popen([*within(cni, "sctp"), *peer, "serve", "sctp", "8080"], cwd=ROOT)
    try:
        goals = [f"sctp/{ip(cni, 'sctp')}/8080", f"sctp/{address}/3868"]
        asking = [*within(cni, "two"), *peer, "ask", "1", *goals]

        def answers() -> Any:
            done = subprocess.run(asking, capture_output=True, text=True, check=True, cwd=ROOT)
            found = json.loads(done.stdout)
            return found if all(found) else None

        assert eventually(answers) == [["sctp", ip(cni, "two")]] * 2
    finally:
        serving.kill()
        serving.wait()


SEND = """
import socket, sys
address, count = sys.argv[1], int(sys.argv[2])
with socket.create_connection((address, 7777), timeout=50) as out:
    for _ in range(count):
        out.sendall(bytes(1 << 20))
    out.shutdown(socket.SHUT_WR)
    out.recv(1)
"""
TAKE = """
import socket, time
listener = socket.create_server(("", 7777))
print("ready", flush=True)
connection, _ = listener.accept()
began = time.monotonic()
while connection.recv(1 << 20):
    pass
print(time.monotonic() - began, flush=True)
"""
BURST = (2**31 - 1) // 8
"""So many bytes pass at once before a limit holds: as kubelets ask for."""


def within(cluster: Cluster, name: str) -> list[str]:
    """Return what a command has to begin with to run in a pod's network."""
    pid = docker("inspect", "-f", "{{.State.Pid}}", running(cluster, f"pod-name={name}", "role=pause"))
    return ["nsenter", f"--net=/proc/{pid}/ns/net"]


def seconds_of(cluster: Cluster, source: str, target: str, megabytes: int) -> float:
    """Return how long so much takes from one pod to another."""
    argv = [*within(cluster, target), sys.executable, "-c", TAKE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as taking:
        assert taking.stdout is not None
        assert taking.stdout.readline() == "ready\n"
        words = [sys.executable, "-c", SEND, ip(cluster, target), str(megabytes)]
        subprocess.run([*within(cluster, source), *words], check=True, timeout=60)
        return float(taking.stdout.readline())


@pytest.mark.usefixtures("pods")
def test_a_pod_gets_and_sends_no_more_than_its_limits(cni: Cluster) -> None:
    rate = 25_000_000
    limits = {"kubernetes.io/ingress-bandwidth": "200M", "kubernetes.io/egress-bandwidth": "200M"}
    apply(cni, pod("slow", f"minikctl-{cni.name}", limits))
    cni.ready("app=slow")
    megabytes = 340
    least = ((megabytes << 20) - BURST) / rate
    assert least > 3
    for source, target in (("two", "slow"), ("slow", "two")):
        assert seconds_of(cni, source, target, megabytes) > least * 0.9
    cni.run("delete", "pod", "slow")


@pytest.mark.usefixtures("pods")
def test_an_address_that_is_lent_again_leads_to_the_new_pod_at_once(cni: Cluster) -> None:
    """Nodes and pods nearby remember for half a minute which interface had the address."""
    node = f"minikctl-{cni.name}-2"
    leases = pathlib.Path(
        cni.home, "clusters", cni.name, "cni", "nodes", node, "networks", f"minikctl-{cni.name}"
    )
    last = leases / "last_reserved_ip.0"
    before = last.read_text()
    addresses = set()
    for _ in range(3):
        last.write_text(before)
        apply(cni, pod("again", node))
        cni.ready("app=again")
        addresses.add(address := ip(cni, "again"))
        for client in ("one", "two"):
            said = cni.out("exec", client, "--", "curl", "-sS", "-m", "2", f"http://{address}:8080/")
            assert "again says" in said
        cni.run("delete", "pod", "again")
    assert len(addresses) == 1


@pytest.mark.usefixtures("pods")
def test_nodes_lend_their_addresses_one_after_the_other(cni: Cluster) -> None:
    """Each has a place of its own for what it lent last; one that came from another node's would begin anew."""
    addresses = []
    for _ in range(3):
        for number, node in enumerate((f"minikctl-{cni.name}", f"minikctl-{cni.name}-2")):
            apply(cni, pod(f"turn-{number}", node))
        for number in range(2):
            cni.ready(f"app=turn-{number}")
            addresses.append(ip(cni, f"turn-{number}"))
        cni.run("delete", "pod", "turn-0", "turn-1")
    assert len(set(addresses)) == len(addresses)


@pytest.mark.usefixtures("pods")
def test_a_pod_whose_interface_somebody_removed_gets_a_new_sandbox_by_check(cni: Cluster) -> None:
    apply(cni, pod("cut", f"minikctl-{cni.name}"))
    cni.ready("app=cut")
    sandbox = running(cni, "pod-name=cut", "role=pause")
    kept = [running(cni, f"pod-name={name}") for name in ("one", "two")]
    subprocess.run([*within(cni, "cut"), "ip", "link", "delete", "eth0"], check=True)
    cni.run("cluster", "stop")
    cni.run("cluster", "start")
    eventually(lambda: running(cni, "pod-name=cut", "role=pause") not in ("", sandbox))
    eventually(
        lambda: (
            "cut says"
            in cni.run(
                "exec", "two", "--", "curl", "-sS", "-m", "2", f"http://{ip(cni, 'cut')}:8080/", code=None
            ).stdout
        )
    )
    changed = "--field-selector=involvedObject.name=cut,reason=SandboxChanged"
    eventually(lambda: cni.json("events", changed)["items"])
    now = [running(cni, f"pod-name={name}") for name in ("one", "two")]
    assert now == kept, "whose network is whole is left alone, with limits and without"
    cni.run("delete", "pod", "cut")


@pytest.mark.usefixtures("pods")
def test_a_refusal_is_an_event_in_the_words_of_the_plugin(cni: Cluster) -> None:
    apply(cni, pod("taken", f"minikctl-{cni.name}", {"kubernetes.io/ingress-bandwidth": "1"}))

    words = "failed to get pod bandwidth annotations: resource is unreasonably small (< 1kbit)"
    eventually(lambda: words in refusals(cni, "taken"))
    cni.run("delete", "pod", "taken", "--wait=false")


@pytest.mark.usefixtures("pods")
def test_a_killed_control_plane_detaches_what_went_meanwhile(cni: Cluster) -> None:
    apply(cni, pod("gone", f"minikctl-{cni.name}"))
    cni.ready("app=gone")
    address = ip(cni, "gone")
    leases = pathlib.Path(cni.home, "clusters", cni.name, "cni", "nodes", f"minikctl-{cni.name}")
    leases = leases / "networks" / f"minikctl-{cni.name}"
    assert (leases / address).exists()
    os.kill(cni.status()["pid"], signal.SIGKILL)
    docker("rm", "-f", *running(cni, "pod-name=gone").split())
    before = running(cni, "pod-name=one")
    cni.run("cluster", "start")
    cni.run("delete", "pod", "gone", "--wait=false")
    eventually(lambda: not (leases / address).exists())
    assert running(cni, "pod-name=one") == before, "what runs is adopted"
    assert "one says" in curl(f"http://{ip(cni, 'one')}:8080/")


@pytest.mark.usefixtures("pods")
def test_a_lost_node_container_is_replaced_and_its_pods_come_back(cni: Cluster) -> None:
    docker("rm", "-f", node_container(cni, f"minikctl-{cni.name}-2"))

    def back() -> bool:
        address = ip(cni, "two")
        done = subprocess.run(
            ["curl", "-s", "-m", "1", f"http://{address}:8080/"], capture_output=True, text=True, check=False
        )
        return "two says" in done.stdout

    eventually(back, 60)


CONFIGS = {
    "ptp": {
        "type": "ptp",
        "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}]},
        "capabilities": {"ipRanges": True},
    },
    # Its pods are on the engine's network themselves, so its user says which part of the whole range is theirs.
    "macvlan": {
        "type": "macvlan",
        "master": "eth0",
        "ipam": {
            "type": "host-local",
            "ranges": [
                [{"subnet": "10.198.16.0/20", "rangeStart": "10.198.17.2", "rangeEnd": "10.198.17.250"}]
            ],
        },
    },
}


@pytest.fixture
def programs(tmp_path: pathlib.Path) -> str:
    """Return where plugins are looked for: those of the machine, and one that hangs now and then."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "slow").write_text(SLOW)
    (place / "slow").chmod(0o755)
    return f"{place}:/usr/lib/cni"


@pytest.mark.parametrize("kind", ["ptp", "macvlan"])
def test_users_bring_their_own_configuration(kind: str, programs: str, tmp_path: pathlib.Path) -> None:
    config = {"cniVersion": "1.0.0", "name": "mine", "plugins": [CONFIGS[kind], {"type": "slow"}]}
    (tmp_path / "10-mine.conflist").write_text(json.dumps(config))
    made = Cluster(str(tmp_path / "home"), f"t{uuid.uuid4().hex[:6]}")
    before = host_state()
    words = ["--network", "cni", "--cni-conf", str(tmp_path), "--cni-path", programs]
    try:
        made.run("cluster", "start", "--wait=false", "--egress=false", "--pod-cidr", "10.198.16.0/20", *words)
        apply(made, pod("one"))
        made.ready("app=one")
        assert "one says" in curl(f"http://{ip(made, 'one')}:8080/")
        if kind == "ptp":
            apply(made, pod("stuck"))
            hung = 'plugin type="slow" failed (add): it did not end within 10 s'
            eventually(lambda: hung in refusals(made, "stuck"))
    finally:
        made.run("cluster", "delete", code=None)
    after = host_state()
    assert not ours(after, (made.name, "10.198.16."))
    assert after["rules"] == before["rules"]
    assert after["leases"] == before["leases"]


def test_what_is_wrong_is_refused_with_file_line_and_field(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "1.conflist"
    path.write_text('{\n "cniVersion": "1.0.0",\n "name": "a",\n "plugins": [{\n  "type": 3}]\n}\n')
    made = Cluster(str(tmp_path / "home"), f"t{uuid.uuid4().hex[:6]}")
    said = made.run("cluster", "start", "--network", "cni", "--cni-conf", str(tmp_path), code=1).stderr
    assert f"error: {path}:5: plugins[0].type: 3 is no name of a plugin's program" in said
    said = made.run("cluster", "start", "--network", "cni", "--cni-path", "/nowhere", code=1).stderr
    assert "apt-get install containernetworking-plugins" in said
