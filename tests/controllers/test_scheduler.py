from __future__ import annotations

from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan import pod_garbage
from tests.controllers.cluster import Cluster
from tests.fakes.client import FakeClient


def pod(name: str, cpu: str = "1", **spec: object) -> Object:
    """Return a Pod that asks for so much."""
    container = {"name": "main", "image": "demo", "resources": {"requests": {"cpu": cpu}}}
    metadata = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": [container], **spec},
    }


async def message(cluster: Cluster, name: str) -> str | None:
    """Return what PodScheduled says, None if the pod has a node."""
    found = await cluster.client.get(kinds.POD, name, "default")
    if objects.spec(found).get("nodeName"):
        return None
    return str((objects.condition(found, "PodScheduled") or {}).get("message"))


NOBODY = " preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
USELESS = " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


async def test_a_pod_waits_for_room(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(pod("first", "3"))
        await cluster.apply(pod("second", "2"))
        assert await message(cluster, "first") is None
        told = f"0/1 nodes are available: 1 Insufficient cpu.{NOBODY}"
        assert await message(cluster, "second") == told
        assert ("FailedScheduling", told) in await cluster.events()
        await cluster.client.delete(kinds.POD, "first", "default")
        await cluster.end_pods()
        assert await message(cluster, "second") is None


async def test_a_finished_pod_makes_room(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(pod("first", "3"))
        await cluster.apply(pod("second", "2"))
        found = await cluster.client.get(kinds.POD, "first", "default")
        done = {**found, "status": {"phase": "Succeeded"}}
        await cluster.client.update(kinds.POD, done, subresource="status")
        await cluster.settle()
        assert await message(cluster, "second") is None


async def test_a_node_that_grows_or_is_uncordoned_takes_waiting_pods(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.client.patch(kinds.NODE, "one", "", {"spec": {"unschedulable": True}})
        await cluster.settle()
        await cluster.apply(pod("first", "6"))
        assert await message(cluster, "first") == (
            f"0/1 nodes are available: 1 node(s) were unschedulable.{USELESS}"
        )
        await cluster.client.patch(kinds.NODE, "one", "", {"spec": {"unschedulable": None}})
        await cluster.settle()
        told = f"0/1 nodes are available: 1 Insufficient cpu.{USELESS}"
        assert await message(cluster, "first") == told
        cluster.machine.resize(8)
        await cluster.turn(11)
        assert await message(cluster, "first") is None


async def test_pods_of_a_vanished_node_are_removed(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    async with cluster.running():
        other = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "two"}, "spec": {}, "status": {}}
        await cluster.apply(other)
        await cluster.apply(pod("stray", nodeName="two"))
        await cluster.turn(60)
        assert len(await cluster.all(kinds.POD)) == 1
        await client.delete(kinds.NODE, "two")
        await cluster.turn(30)
        assert len(await cluster.all(kinds.POD)) == 1, "it may come back"
        await cluster.turn(11)
        assert await cluster.all(kinds.POD) == []


async def test_a_pod_of_a_node_that_is_not_there_goes_when_its_time_is_over(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(pod("lost", nodeName="ghost"))
        await cluster.apply(pod("fine", nodeName="one"))
        await cluster.turn(39)
        assert len(await cluster.all(kinds.POD)) == 2
        await cluster.turn(2)
        assert [objects.name(each) for each in await cluster.all(kinds.POD)] == ["fine"]


async def test_a_pod_that_is_bound_to_a_node_that_is_not_there_is_removed(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(pod("late", schedulerName="another"))
        await cluster.client.patch(kinds.POD, "late", "default", {"spec": {"nodeName": "nowhere"}})
        await cluster.settle()
        await cluster.turn(pod_garbage.QUARANTINE.total_seconds())
        assert await cluster.all(kinds.POD) == []
