"""Which containers get rules."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.drivers.fake_netns import FakeNetns
from minikctl.model.containers import Container
from minikctl.network import attach
from minikctl.network.policies import PolicyBook
from minikctl.network.rulebook import RuleBook
from minikctl.network.sync import Books, Member, RuleSync
from minikctl.node.sandbox import Sandbox, SandboxNetwork
from tests.network.bench import SETTINGS, Surroundings

ROLE, NAMESPACE, NAME = ("minikctl.dev/role", "minikctl.dev/service-namespace", "minikctl.dev/service-name")


def container(role: str, status: Any = "running", pid: int = 7, ip: str = "10.1.0.9") -> Container:
    labels = {ROLE: role, NAMESPACE: "default", NAME: "web"}
    labels |= {"minikctl.dev/pod-namespace": "net", "minikctl.dev/pod-name": "web-1"}
    return Container("c1", "name", labels, "infra", "", status, pid=pid, ip=ip)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (container("pause"), Member("c1", 7, "10.1.0.9", pod=("net", "web-1"))),
        (container("pause", status="paused"), Member("c1", 7, "10.1.0.9", pod=("net", "web-1"))),
        (container("publisher"), Member("c1", 7, "10.1.0.9", ("default", "web"))),
        (container("app"), None),
        (container("pause", status="exited"), None),
        (container("pause", pid=0), None),
        (container("pause", ip=""), None),
    ],
)
def test_running_pauses_and_publishers_with_an_address_are_members(
    found: Container, wanted: Member | None
) -> None:
    assert attach.member_of(found) == wanted


async def test_a_pod_of_the_host_network_or_without_network_gets_nothing() -> None:
    world = Surroundings()
    netns = FakeNetns()

    async def discover() -> list[Member]:
        return []

    books = Books(RuleBook(world.informers, SETTINGS), PolicyBook(world.informers))
    rules = RuleSync(netns, books, discover, world.clock)
    network: SandboxNetwork = attach.PodNetwork(rules)
    async with world.running(rules.run()):
        await network.attach(Sandbox("ns", "p", "u", "c1", 7, "10.1.0.1", host_network=True))
        await network.attach(Sandbox("ns", "p", "u", "c2", 7, ""))
        assert netns.rules == {}
        sandbox = Sandbox("ns", "p", "u", "c3", 7, "10.1.0.9")
        await network.attach(sandbox)
        assert set(netns.rules) == {"c3"}
        await network.detach(sandbox)
        await network.detach(sandbox)
