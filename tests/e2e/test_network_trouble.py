"""What serves the network ends badly: the rest goes on, and what ended comes back and knows what changed meanwhile."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE, Popen
from typing import Any

import pytest

from minikctl.client import kubeconfig
from minikctl.client.home import ClusterHome
from minikctl.client.http import HttpClient
from tests.e2e.conftest import Cluster, curl, docker, eventually
from tests.e2e.test_network import NAMESPACE, VISIT, World, deployment, idle, ingress, meta, service
from tests.e2e.test_services_walk import ASK, SERVE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SYSTEM = "kube-system"
HOW = pytest.mark.parametrize("how", ["killed", "removed"])
"""Its process ends badly; or its pod's containers are removed behind everybody's back."""
DATAGRAMS = [{"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"}]
VISIT_SECONDS = "12"
VISIT_LONG = "30"
CHANGES, SERVICES, WRITERS = 10_000, 20, 4


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
    for app in ("web", "client", "echo"):
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


def harmed_nobody(visitor: Popen[str]) -> None:
    """Have a visitor come to its end; no connection of its failed."""
    said, _ = visitor.communicate(timeout=60)
    done, _, failures = said.strip().partition(" ")
    assert int(done) > 50
    assert failures == "[]"


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
    visitor = world.inside(VISIT, world.cluster_ip("web"), VISIT_SECONDS)
    end(world, "agent", how)
    world.apply(service(f"agent-{how}"))
    eventually(lambda: answers(world, f"agent-{how}"))
    world.apply(deployment(f"agent-{how}", 1))
    world.cluster.ready(f"app=agent-{how}", NAMESPACE)
    harmed_nobody(visitor)
    world.cluster.run("delete", "deploy", f"agent-{how}", "-n", NAMESPACE)


@HOW
def test_a_name_server_that_ended_comes_back_with_all_names(world: World, how: str) -> None:
    end(world, "dns", how)
    world.apply(service(f"dns-{how}"))
    eventually(lambda: answers(world, f"dns-{how}"))
    assert answers(world, "web")


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


@HOW
def test_a_publisher_of_datagrams_that_ended_is_replaced(world: World, how: str) -> None:
    port = node_port(world, "datagrams")
    eventually(lambda: asked(port).startswith("echo "))
    words = ("label=minikctl.dev/role=publisher", "label=minikctl.dev/service-name=datagrams")
    (found,) = world.cluster.containers(*words)
    docker(*(["kill"] if how == "killed" else ["rm", "-f"]), found)
    eventually(lambda: asked(port).startswith("echo "))
    assert found not in world.cluster.containers(*words)


@HOW
def test_the_way_to_the_api_comes_back(world: World, how: str) -> None:
    words = ("curl", "-sSk", "-m", "2", "https://kubernetes.default.svc/version")
    eventually(lambda: "gitVersion" in world.exec(*words, code=None).stdout)
    end(world, "api-relay", how)
    eventually(lambda: "gitVersion" in world.exec(*words, code=None).stdout)


def piece(number: int, addresses: list[str]) -> dict[str, Any]:
    """Return the endpoints of one of the Services whose endpoints change all the time."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**meta(f"busy-{number}"), "labels": {"kubernetes.io/service-name": f"busy-{number}"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [{"addresses": [one]} for one in addresses],
    }


def test_ten_thousand_changes_of_endpoints_harm_nobody_and_the_last_one_holds(world: World) -> None:
    """Each Service's endpoints change from one pod to the other and back; others are asked all the time."""
    pods = world.pods()
    one, two = pods.values()
    visitor = world.inside(VISIT, world.cluster_ip("web"), VISIT_LONG)
    world.apply(*(service(f"busy-{number}", "") for number in range(SERVICES)))
    world.apply(*(piece(number, [one]) for number in range(SERVICES)))

    def write(numbers: range) -> None:
        config = kubeconfig.load(ClusterHome(world.cluster.name, world.cluster.home).kubeconfig)
        with HttpClient(kubeconfig.resolve(config)) as client:
            for turn in range(CHANGES // SERVICES):
                for number in numbers:
                    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices/busy-{number}"
                    client.request("PUT", path, piece(number, [one if turn % 2 else two]))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, [range(first, SERVICES, WRITERS) for first in range(WRITERS)]))
    world.apply(*(piece(number, [two]) for number in range(SERVICES)))
    last = f"{list(pods)[1]} says:"
    asked = [f"http://{world.cluster_ip(f'busy-{number}')}/" for number in range(SERVICES)]
    eventually(lambda: world.exec("curl", "-sS", "-m", "2", *asked, code=None).stdout.count(last) == SERVICES)
    harmed_nobody(visitor)
