from __future__ import annotations

from minikctl import controllers
from minikctl.controllers.node_lifecycle import NodeLifecycleController
from minikctl.model import kinds, objects
from minikctl.plan.node import SILENCED, Place
from minikctl.runtime.loop import ControlLoop
from tests.controllers.cluster import Cluster, deployment


def several(cluster: Cluster) -> None:
    """Have the machine play three nodes."""
    names = ("one", "two", "three")
    places = {name: Place(f"zone-{name}", len(names), {"cpu": "4"}) for name in names}
    machine = cluster.machine
    settings = controllers.Settings(places, "v1", "CERTIFICATE", machine, machine.subscribe)
    args = (cluster.client, cluster.informers, cluster.executor, cluster.clock, settings)
    cluster.loops = controllers.build(*args)


async def nodes_of_pods(cluster: Cluster) -> set[str]:
    """Return where pods are that are not leaving."""
    pods = await cluster.all(kinds.POD)
    return {str(objects.spec(pod).get("nodeName")) for pod in pods if not objects.is_deleting(pod)}


async def test_pods_are_spread_and_leave_a_node_that_falls_silent(cluster: Cluster) -> None:
    several(cluster)
    async with cluster.running():
        assert {objects.name(each) for each in await cluster.all(kinds.NODE, "")} == {"one", "two", "three"}
        await cluster.apply(deployment(replicas=3))
        assert await nodes_of_pods(cluster) == {"one", "two", "three"}
        await cluster.start_pods()

        await cluster.client.patch(kinds.NODE, "two", "", {"metadata": {"annotations": {SILENCED: "true"}}})
        await cluster.settle()
        await cluster.turn(70)
        lost = await cluster.client.get(kinds.NODE, "two")
        assert (objects.condition(lost, "Ready") or {})["status"] == "Unknown"
        effects = {each["effect"] for each in objects.spec(lost)["taints"]}
        assert effects == {"NoSchedule", "NoExecute"}
        # The fake API adds no tolerations, so pods leave at once.
        assert await nodes_of_pods(cluster) == {"one", "three"}

        await cluster.client.patch(kinds.NODE, "two", "", {"metadata": {"annotations": {SILENCED: None}}})
        await cluster.turn(20)
        back = await cluster.client.get(kinds.NODE, "two")
        assert (objects.condition(back, "Ready") or {})["status"] == "True"
        assert not objects.spec(back).get("taints")


async def test_a_busy_process_does_not_take_its_own_nodes_for_lost(cluster: Cluster) -> None:
    several(cluster)
    cluster.loops = [loop for loop in cluster.loops if loop.controller.name != "node"]
    assert any(isinstance(loop.controller, NodeLifecycleController) for loop in cluster.loops)
    assert all(isinstance(loop, ControlLoop) for loop in cluster.loops)
    async with cluster.running():
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}, "spec": {}, "status": ready}
        await cluster.apply(node)
        await cluster.turn(600)
        found = await cluster.client.get(kinds.NODE, "one")
        assert (objects.condition(found, "Ready") or {})["status"] == "True"
        assert not objects.spec(found).get("taints")


async def test_pods_that_bear_a_taint_for_a_time_are_told_when_it_goes_and_count_on_when_it_changes(
    cluster: Cluster,
) -> None:
    several(cluster)

    async def taint(*keys: str) -> None:
        taints = [{"key": key, "effect": "NoExecute"} for key in keys]
        await cluster.client.patch(kinds.NODE, "one", "", {"spec": {"taints": taints or None}})
        await cluster.settle()

    async def told() -> list[str]:
        found = [each for each in await cluster.all(kinds.EVENT) if each["reason"] == "TaintManagerEviction"]
        return [each["message"] for each in found]

    bears = [{"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"nodeName": "one", "tolerations": bears, "containers": [{"name": "a", "image": "b"}]},
    }
    async with cluster.running():
        await cluster.apply(pod)
        await taint("bad")
        await cluster.turn(40)
        await taint()
        await cluster.turn(30)
        assert await told() == ["Cancelling deletion of Pod default/web"]
        await taint("bad")
        await cluster.turn(40)
        await taint("worse")
        await cluster.turn(30)
        assert "Marking for deletion Pod default/web" in await told()
        assert not await nodes_of_pods(cluster)
