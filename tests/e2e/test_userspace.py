"""The mode userspace on two nodes: what holds of Services holds here too, and what is different is shown."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.e2e import test_network as services
from tests.e2e.conftest import START, Cluster, docker, eventually
from tests.e2e.test_network import NAMESPACE, World, deployment, idle, meta, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

test_spread = services.test_a_service_is_spread_over_its_pods_which_see_the_client_or_its_proxy
test_hairpin = services.test_a_pod_reaches_itself_through_its_service
test_refusal = services.test_what_leads_nowhere_is_refused_at_once
test_affinity = services.test_a_client_keeps_its_endpoint
test_retries = services.test_an_endpoint_that_refuses_costs_connections_unless_a_proxy_tries_another
test_node_port = services.test_a_node_port_answers_on_the_host_and_on_the_nodes_address_in_pods
test_balancer = services.test_a_load_balancer_answers_at_its_own_address_outside_and_inside
test_changes = services.test_changing_rules_costs_no_connection
test_deleted_rules = services.test_rules_that_are_changed_by_hand_are_back_at_once


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    home = tempfile.mkdtemp(prefix="minikctl-e2e-")
    made = Cluster(home, f"u{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", "--nodes=2", "--proxy-mode=userspace", *START)
        yield made
    finally:
        made.run("cluster", "delete", code=None)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> World:
    made = World(cluster)
    first, second = sorted(node["metadata"]["name"] for node in cluster.json("nodes")["items"])
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        deployment("web"),
        deployment("other", 1),
        on(first, idle("client")),
        on(second, idle("distant")),
        service("web"),
        service("sticky", sessionAffinity="ClientIP"),
        service("nobody", "nobody"),
        service("port", type="NodePort"),
        service("balancer", type="LoadBalancer"),
        service("local", internalTrafficPolicy="Local"),
    )
    services.settled(made)
    cluster.ready("app=distant", NAMESPACE, 90)
    return made


def on(node: str, pod: dict[str, Any]) -> dict[str, Any]:
    return {**pod, "spec": {**pod["spec"], "nodeSelector": {"kubernetes.io/hostname": node}}}


def test_each_node_has_a_proxy_and_its_own_local_endpoints(world: World) -> None:
    assert world.seen_of("client") != world.seen_of("distant")
    pods = world.cluster.json("pods", "-n", NAMESPACE, "-l", "app=web")["items"]
    by_node = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in pods}
    assert len(by_node) == 2
    for client in ("client", "distant"):
        own = by_node[world.field("pod", client)["spec"]["nodeName"]]
        eventually(lambda: world.answerers("http://local/", 4, client) == {own})  # noqa: B023


def test_a_proxy_that_is_killed_comes_back_and_rules_follow_to_another(world: World) -> None:
    own = proxy_of(world, "client")
    docker("kill", own["status"]["containerStatuses"][0]["containerID"].partition("://")[2])
    eventually(lambda: answers(world, "web"))
    world.cluster.run("delete", "pod", own["metadata"]["name"], "-n", "kube-system")
    eventually(lambda: answers(world, "web"))
    # Its address may be the one that has just become free.
    assert proxy_of(world, "client")["metadata"]["uid"] != own["metadata"]["uid"]


def proxy_of(world: World, pod: str) -> dict[str, Any]:
    """Return the proxy that endpoints see in the pod's stead."""
    pods = world.cluster.json("pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy")["items"]
    address = world.seen_of(pod)
    (found,) = (each for each in pods if each["status"]["podIP"] == address)
    return dict(found)


def answers(world: World, name: str) -> bool:
    return world.exec("curl", "-sS", "-m", "1", f"http://{name}/", code=None).returncode == 0


def test_clients_keep_their_endpoint_while_ports_come(world: World) -> None:
    before = world.get("http://sticky/").split()[0]
    for name in ("more-1", "more-2", "more-3"):
        world.apply(service(name))
        eventually(partial(answers, world, name))
        assert world.get("http://sticky/").split()[0] == before


def test_policies_judge_the_proxy_and_say_so(world: World) -> None:
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "client"}}}]}],
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta("shut"),
        "spec": spec,
    }
    system = {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
    proxies = {"namespaceSelector": system, "podSelector": {"matchLabels": {"k8s-app": "kube-proxy"}}}
    world.apply(policy)
    try:
        eventually(lambda: not answers(world, "web"))
        (ip, *_) = world.pods().values()
        assert "says:" in world.get(f"http://{ip}:8080/")
        eventually(lambda: "ClientsMasked" in world.reasons("shut"))
        said = world.cluster.run("why", "svc/web", "--from=client", "-n", NAMESPACE, code=1).stdout
        assert "it judges pod kube-proxy-" in said
        world.apply({**policy, "spec": {**spec, "ingress": [{"from": [proxies]}]}})
        eventually(lambda: answers(world, "web"))
    finally:
        world.cluster.run("delete", "networkpolicy", "shut", "-n", NAMESPACE)


def test_what_works_is_proved_and_says_whom_pods_see(world: World) -> None:
    said = world.cluster.run("why", "svc/web", "--from=client", "-n", NAMESPACE).stdout
    assert f"endpoints see {world.seen_of('client')} as the client" in said
    assert "Proxy Mode:" in world.cluster.out("describe", "service", "web", "-n", NAMESPACE)


def test_everything_serves_while_the_control_plane_is_stopped(world: World) -> None:
    pod = next(
        iter(world.cluster.containers("label=minikctl.dev/pod-name=client", "label=minikctl.dev/role=app"))
    )
    world.cluster.run("cluster", "stop")
    try:
        assert "says:" in docker("exec", pod, "curl", "-sS", "-m", "5", "http://web/")
    finally:
        world.cluster.run("cluster", "start")
