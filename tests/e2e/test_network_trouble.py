"""What serves the network ends badly: the rest goes on, and what ended comes back and knows what changed meanwhile."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from subprocess import PIPE, Popen

import pytest

from tests.e2e.conftest import Cluster, curl, docker, eventually
from tests.e2e.test_network import NAMESPACE, World, deployment, idle, ingress, service
from tests.e2e.test_services_walk import ASK, SERVE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SYSTEM = "kube-system"
HOW = pytest.mark.parametrize("how", ["killed", "removed"])
"""Its process ends badly; or its pod's containers are removed behind everybody's back."""
DATAGRAMS = [{"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"}]


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    made = World(cluster)
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        deployment("web"),
        idle("client"),
        idle("echo"),
        service("web"),
        service("port", type="NodePort"),
        service("datagrams", "echo", type="NodePort", ports=DATAGRAMS),
        ingress("main", "web.hey", "web"),
    )
    cluster.rolled_out("deploy/web", NAMESPACE)
    for app in ("client", "echo"):
        cluster.ready(f"app={app}", NAMESPACE, 90)
    echo = made.inside(SERVE, "echo", "5353/udp", pod="echo")
    try:
        eventually(lambda: answers(made, "web"))
        yield made
    finally:
        echo.kill()
        echo.communicate()


def answers(world: World, name: str) -> bool:
    """Tell whether a pod reaches the Service by its name."""
    return "says:" in world.exec("curl", "-sS", "-m", "2", f"http://{name}/", code=None).stdout


def asked(port: int) -> str:
    """Return what this machine is answered at a node port of datagrams."""
    argv = [sys.executable, "-c", ASK, "udp", "127.0.0.1", str(port), "1", "1"]
    said, _ = Popen(argv, stdout=PIPE, text=True).communicate(timeout=20)
    return str(json.loads(said)[0])


def node_port(world: World, name: str) -> int:
    return int(world.field("service", name)["spec"]["ports"][0]["nodePort"])


def end(world: World, part: str, how: str) -> None:
    """End a part of the system."""
    found = world.cluster.json("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/name={part}")["items"]
    for pod in found:
        uid = f"label=minikctl.dev/pod-uid={pod['metadata']['uid']}"
        if how == "killed":
            docker("kill", *world.cluster.containers(uid, "label=minikctl.dev/role=app"))
        else:
            docker("rm", "-f", *docker("ps", "-aq", "--filter", uid).split())


@HOW
def test_without_the_agent_everything_serves_and_changes_come_once_it_is_back(world: World, how: str) -> None:
    with world.visited("web"):
        end(world, "agent", how)
        world.apply(service(f"agent-{how}"))
        eventually(lambda: answers(world, f"agent-{how}"))
        world.apply(deployment(f"agent-{how}", 1))
        world.cluster.rolled_out(f"deploy/agent-{how}", NAMESPACE)
    world.cluster.run("delete", "deploy", f"agent-{how}", "-n", NAMESPACE)


@HOW
def test_a_name_server_that_ended_comes_back_with_all_names(world: World, how: str) -> None:
    end(world, "dns", how)
    world.apply(service(f"dns-{how}"))
    for name in (f"dns-{how}", "web"):
        eventually(lambda: answers(world, name))  # noqa: B023


@HOW
def test_an_ingress_proxy_that_ended_comes_back_with_all_routes(world: World, how: str) -> None:
    address = world.balancer("ingress", "main")
    end(world, "ingress", how)
    world.apply(ingress(f"ingress-{how}", f"{how}.hey", "web"))
    for host in ("web.hey", f"{how}.hey"):
        assert "says:" in curl(f"http://{host}/", "--resolve", f"{host}:80:{address}", seconds=30)
    assert world.balancer("ingress", f"ingress-{how}") == address


@HOW
def test_a_publisher_that_ended_comes_back_with_all_ports(world: World, how: str) -> None:
    end(world, "publisher", how)
    world.apply(service(f"publisher-{how}", type="NodePort"))
    for name in ("port", f"publisher-{how}"):
        assert "says:" in curl(f"http://127.0.0.1:{node_port(world, name)}/", seconds=30)


@pytest.mark.parametrize("how", ["killed", "removed", "disconnected"])
def test_a_publisher_of_datagrams_that_ended_is_replaced(world: World, how: str) -> None:
    port = node_port(world, "datagrams")
    eventually(lambda: asked(port).startswith("echo "))
    words = ("label=minikctl.dev/role=publisher", "label=minikctl.dev/service-name=datagrams")
    (found,) = world.cluster.containers(*words)
    if how == "disconnected":
        docker("network", "disconnect", "-f", f"minikctl-{world.cluster.name}", found)
    else:
        docker(*(["kill"] if how == "killed" else ["rm", "-f"]), found)
    eventually(lambda: asked(port).startswith("echo "))
    assert found not in world.cluster.containers(*words)


@HOW
def test_the_way_to_the_api_comes_back(world: World, how: str) -> None:
    words = ("curl", "-sSk", "-m", "2", "https://kubernetes.default.svc/version")
    eventually(lambda: "gitVersion" in world.exec(*words, code=None).stdout)
    end(world, "api-relay", how)
    eventually(lambda: "gitVersion" in world.exec(*words, code=None).stdout)
