"""``why`` and ``describe service`` on a real cluster: each broken link is named as it is broken."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import pytest

from tests.e2e.conftest import Cluster, docker, eventually, spare_node_port
from tests.e2e.test_network import NAMESPACE, World, container, deployment, idle, ingress, meta, service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> World:
    made = World(cluster)
    made.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        deployment("web", 1),
        idle("client"),
        service("web"),
        service("typo", "wbe"),
        service("deaf", ports=[{"port": 80, "targetPort": 9999}]),
        service("unnamed", ports=[{"port": 80, "targetPort": "htp"}]),
        ingress("main", "web.localhost", "web"),
        ingress("typo", "typo.localhost", "typo"),
        ingress("foreign", "x.localhost", "web", ingressClassName="nginx"),
    )
    cluster.rolled_out("deploy/web", NAMESPACE)
    cluster.ready("app=client", NAMESPACE, 90)
    made.balancer("ingress", "main")
    for words in (
        ("svc/web", "--from", "client"),
        ("ingress/main",),
    ):  # endpoints and rules come a moment later
        eventually(lambda: cluster.run("why", *words, "-n", NAMESPACE, code=None).returncode == 0)  # noqa: B023
    return made


def asked(world: World, *words: str, code: int) -> str:
    return world.cluster.run("why", *words, "-n", NAMESPACE, code=code).stdout


def test_what_works_is_proved_by_a_connection(world: World) -> None:
    said = asked(world, "svc/web", "--from", "client", code=0)
    assert f"from {NAMESPACE}/client to {world.cluster_ip('web')}:80: connected" in said
    assert "GET http://web.localhost/ -> 200" in asked(world, "ingress/main", code=0)
    (pod,) = world.pods()
    assert "it gets traffic of Service web: ready" in asked(world, f"pod/{pod}", code=0)


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (
            "svc/typo",
            "broken: endpoints: the selector app=wbe of Service typo matches no pod: pods have app=",
        ),
        ("svc/deaf", "its processes listen on 8080"),
        ("svc/unnamed", "broken: readiness: none gets traffic: web-"),
        ("ingress/typo", "broken: endpoints: the selector app=wbe"),
        ("ingress/foreign", "broken: class: there is no class nginx; this cluster's is minikctl"),
    ],
)
def test_the_broken_link_is_named(world: World, subject: str, words: str) -> None:
    assert words in asked(world, subject, code=1).partition("\n  ")[0]


def test_a_port_that_another_process_has_is_named_until_it_is_free(world: World) -> None:
    port = spare_node_port()
    with socket.create_server(("127.0.0.1", port)):
        ports = [{"name": "http", "port": 80, "targetPort": "http", "nodePort": port}]
        world.apply(service("outer", type="NodePort", ports=ports))
        words = f"broken: published: publishing the Service's ports failed: 127.0.0.1:{port} is in use"
        eventually(lambda: words in world.cluster.run("why", "outer", "-n", NAMESPACE, code=None).stdout)
        assert "connected" in asked(world, "svc/outer", "--from", "client", code=0)
        world.cluster.run("cluster", "stop")
    world.cluster.run("cluster", "start")  # it got free while nobody looked
    eventually(lambda: world.cluster.run("why", "outer", "-n", NAMESPACE, code=None).returncode == 0, pause=1)


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("svc/talk", "/UDP: its processes listen on 8080/TCP"),
        ("svc/numbers", "externalName 192.0.2.1 is an address"),
        ("pod/waiting", "waits for its init container first: it is still running"),
        ("pod/mute", "policy mute isolates net/mute for egress, and no rule allows it"),
    ],
)
def test_the_sentence_says_the_cause(world: World, subject: str, words: str) -> None:
    talk = [{"port": 80, "protocol": "UDP", "targetPort": 8080}]
    waiting = idle("waiting")
    waiting["spec"]["initContainers"] = [container(command=["sleep", "3600"]) | {"name": "first"}]
    closed = {"podSelector": {"matchLabels": {"app": "mute"}}, "policyTypes": ["Egress"]}
    world.apply(
        service("talk", ports=talk),
        service("numbers", "", type="ExternalName", externalName="192.0.2.1"),
        waiting,
        idle("mute"),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": meta("mute"),
            "spec": closed,
        },
    )
    world.cluster.ready("app=mute", NAMESPACE, 60)

    def is_the_answer() -> bool:
        said = world.cluster.run("why", subject, "-n", NAMESPACE, code=None)
        return said.returncode == 1 and words in said.stdout.partition("\n  ")[0]

    eventually(is_the_answer)


def test_rules_that_are_missing_are_seen_and_come_back(world: World) -> None:
    (pause,) = world.cluster.containers("label=minikctl.dev/pod-name=client", "label=minikctl.dev/role=pause")
    (agent,) = world.cluster.containers("label=minikctl.dev/container=agent")
    pid = docker("inspect", "-f", "{{.State.Pid}}", pause)
    address = world.cluster.json("service", "web", "-n", NAMESPACE)["spec"]["clusterIP"]
    element = ("inet", "minikctl", "services", f"{{ {address} . tcp . 80 }}")
    # Who writes the rules would put them back before anybody could look.
    shown = docker("top", agent, "-eo", "pid,args").splitlines()
    (writer,) = [int(line.split()[0]) for line in shown if "mk-rules-" in line]
    os.kill(writer, signal.SIGSTOP)
    try:
        docker("exec", agent, "nsenter", f"--net=/proc/{pid}/ns/net", "nft", "delete", "element", *element)
        said = asked(world, "svc/web", "--from", "client", code=1)
    finally:
        os.kill(writer, signal.SIGCONT)
    assert f"broken: rules: in the namespace of {NAMESPACE}/client: {address}:80 leads to nowhere" in said

    def connects() -> bool:
        words = ("why", "web", "--from=client", "-n", NAMESPACE)
        return "connected" in world.cluster.run(*words, code=None).stdout

    eventually(connects, pause=0.5)


def test_a_policy_in_the_way_is_named(world: World) -> None:
    policy: Any = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "shut", "namespace": NAMESPACE},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}},
    }
    world.apply(policy)
    said = asked(world, "svc/web", "--from", "client", code=1)
    assert "broken: policy: policy shut isolates net/web-" in said
    world.cluster.run("delete", "networkpolicy", "shut", "-n", NAMESPACE)


def test_describe_tells_who_is_out_and_why(world: World) -> None:
    assert "Backends:" not in world.cluster.out("describe", "service", "web", "-n", NAMESPACE)
    said = world.cluster.out("describe", "service", "unnamed", "-n", NAMESPACE)
    assert "Backends:" in said
    assert "out      has no port named htp (TCP)" in said
