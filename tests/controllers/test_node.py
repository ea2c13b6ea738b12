from __future__ import annotations

from minikctl import errors
from minikctl.controllers.node import engine_facts, machine
from minikctl.drivers.engine import EngineInfo
from minikctl.model import kinds, objects
from tests.controllers.cluster import Cluster, deployment
from tests.fakes.client import FakeClient


async def ready(cluster: Cluster) -> tuple[str, str]:
    """Return the status and the message of the node's Ready condition."""
    found = objects.condition(await cluster.client.get(kinds.NODE, "one"), "Ready")
    assert found is not None
    return found["status"], found["message"]


async def test_the_node_is_registered_and_its_lease_renewed(cluster: Cluster) -> None:
    async with cluster.running():
        assert await ready(cluster) == ("True", "kubelet is posting ready status")
        await cluster.turn(61)
        lease = await cluster.client.get(kinds.LEASE, "one", "kube-node-lease")
        assert objects.spec(lease)["renewTime"] == "2026-01-01T00:01:00.000000Z"
        assert objects.spec(lease)["holderIdentity"] == "one"


async def test_an_idle_cluster_only_renews_the_lease(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    async with cluster.running():
        await cluster.apply(deployment())
        await cluster.start_pods()
        await cluster.turn(1)
        client.calls.clear()
        await cluster.turn(120)
        assert {call[:2] for call in client.calls} == {("patch", "leases")}
        assert len(client.calls) == 12


async def test_an_engine_that_goes_away_and_comes_back(cluster: Cluster) -> None:
    async with cluster.running():
        cluster.machine.error = errors.EngineUnavailable("no Docker engine answers")
        await cluster.turn(11)
        assert await ready(cluster) == ("False", "container runtime is down: no Docker engine answers")
        await cluster.apply(deployment(replicas=1))
        await cluster.turn(1)
        (pod,) = await cluster.all(kinds.POD)
        scheduled = objects.condition(pod, "PodScheduled")
        assert scheduled is not None
        assert "1 node(s) had untolerated taint(s)" in scheduled["message"]
        cluster.machine.error = errors.NetworkUnready("container runtime network not ready")
        await cluster.turn(11)
        assert await ready(cluster) == ("False", "container runtime network not ready")
        cluster.machine.error = None
        await cluster.turn(11)
        assert (await ready(cluster))[0] == "True"
        (pod,) = await cluster.all(kinds.POD)
        assert objects.spec(pod)["nodeName"] == "one"


async def test_a_deleted_node_registers_again(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.client.delete(kinds.NODE, "one")
        await cluster.settle()
        assert (await ready(cluster))[0] == "True"


async def test_other_nodes_are_not_ours(cluster: Cluster) -> None:
    async with cluster.running():
        other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "two"}, "spec": {}, "status": {}}
        await cluster.apply(other)
        await cluster.turn(30)
        assert objects.status(await cluster.client.get(kinds.NODE, "two")) == {}


class Engine:
    """As much of an engine as a node asks."""

    async def info(self) -> EngineInfo:
        return EngineInfo("20.10", "1.41", "Debian GNU/Linux 12", "6.1", "x86_64", 2, 1 << 30)


async def test_facts_come_from_the_engine() -> None:
    facts = await engine_facts(Engine(), "10.201.0.1")()  # type: ignore[arg-type]
    assert (facts.architecture, facts.runtime, facts.os_image) == (
        "amd64",
        "docker://20.10",
        "Debian GNU/Linux 12",
    )
    assert (facts.cpus, facts.memory_bytes, facts.address) == (2, 1 << 30, "10.201.0.1")


def test_facts_without_an_engine_are_given_or_the_machines_own() -> None:
    facts = machine("sim://1", "10.201.0.1", 64, 1 << 40)
    assert (facts.cpus, facts.memory_bytes, facts.address) == (64, 1 << 40, "10.201.0.1")
    assert machine("docker://unknown").memory_bytes > 1 << 20


async def test_news_of_the_engine_are_told_at_once(cluster: Cluster) -> None:
    async with cluster.running():
        cluster.machine.error = errors.EngineUnavailable("gone")
        cluster.machine.changed()
        await cluster.settle()
        assert (await ready(cluster))[0] == "False"
