from __future__ import annotations

from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from tests.controllers.cluster import Cluster, deployment


async def images(cluster: Cluster) -> list[str]:
    """Return the images of all pods that are not on their way out."""
    pods = [pod for pod in await cluster.all(kinds.POD) if not objects.is_deleting(pod)]
    return sorted(objects.spec(pod)["containers"][0]["image"] for pod in pods)


async def change(cluster: Cluster, **spec: object) -> Object:
    """Patch the Deployment's spec and let everything follow."""
    found = await cluster.client.patch(kinds.DEPLOYMENT, "web", "default", {"spec": spec})
    await cluster.settle()
    await cluster.turn(0.1)
    return found


def template(image: str) -> Object:
    """Return a pod template."""
    return dict(deployment(image=image)["spec"]["template"])


async def roll(cluster: Cluster) -> int:
    """Let pods start and end until the rollout is over; return in how many rounds."""
    for round_ in range(30):
        if await cluster.start_pods() + await cluster.end_pods() == 0:
            return round_
        await cluster.turn(0.1)
    raise AssertionError("the rollout does not end")


async def test_a_deployment_becomes_running_pods(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment())
        await cluster.turn(0.1)
        (replica_set,) = await cluster.all(kinds.REPLICA_SET)
        pods = await cluster.all(kinds.POD)
        assert {objects.spec(pod).get("nodeName") for pod in pods} == {"one"}
        assert await cluster.start_pods() == 3
        found = await cluster.client.get(kinds.DEPLOYMENT, "web", "default")
        counts = {name: value for name, value in objects.status(found).items() if name != "conditions"}
        assert counts == {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
        reasons = {each["type"]: each["reason"] for each in objects.status(found)["conditions"]}
        assert reasons == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
        assert objects.annotations(found)["deployment.kubernetes.io/revision"] == "1"
        name = objects.name(replica_set)
        events = await cluster.events()
        assert ("ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 3") in events
        assert sum(reason == "SuccessfulCreate" for reason, _ in events) == 3
        assert sum(reason == "Scheduled" for reason, _ in events) == 3


async def test_a_new_template_replaces_all_pods_and_undo_brings_them_back(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=4))
        await roll(cluster)
        await change(cluster, template=template("demo:2"))
        assert await roll(cluster) > 1
        assert await images(cluster) == ["demo:2"] * 4
        await change(cluster, template=template("demo:1"))
        await roll(cluster)
        assert await images(cluster) == ["demo:1"] * 4
        sets = await cluster.all(kinds.REPLICA_SET)
        revisions = {
            objects.spec(each)["replicas"]: objects.annotations(each)["deployment.kubernetes.io/revision"]
            for each in sets
        }
        assert revisions == {4: "3", 0: "2"}


async def test_scaling_keeps_the_pods_that_are_there(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=3))
        await roll(cluster)
        before = {objects.name(pod) for pod in await cluster.all(kinds.POD)}
        await change(cluster, replicas=5)
        await roll(cluster)
        assert before < {objects.name(pod) for pod in await cluster.all(kinds.POD)}
        await change(cluster, replicas=1)
        await roll(cluster)
        assert len(await cluster.all(kinds.POD)) == 1


async def test_recreate_has_no_old_and_new_pods_at_once(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=2, strategy={"type": "Recreate"}))
        await roll(cluster)
        await change(cluster, template=template("demo:2"))
        assert await images(cluster) == []
        assert len(await cluster.all(kinds.POD)) == 2, "they are on their way out"
        await cluster.end_pods()
        await cluster.turn(0.1)
        assert await images(cluster) == ["demo:2"] * 2


async def test_a_rollout_that_gets_stuck_runs_out_of_time(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=1, progressDeadlineSeconds=30))
        await cluster.turn(40)
        found = await cluster.client.get(kinds.DEPLOYMENT, "web", "default")
        progressing = objects.condition(found, "Progressing")
        assert progressing is not None
        assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")


async def test_a_deleted_replica_set_is_made_again(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=1))
        await roll(cluster)
        (before,) = await cluster.all(kinds.REPLICA_SET)
        await cluster.client.delete(kinds.REPLICA_SET, objects.name(before), "default")
        await cluster.settle()
        await roll(cluster)
        (after,) = await cluster.all(kinds.REPLICA_SET)
        assert (objects.name(after), objects.uid(after) != objects.uid(before)) == (
            objects.name(before),
            True,
        )
        assert len(await cluster.all(kinds.POD)) == 1


async def test_a_replica_set_without_an_owner_is_adopted(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=1))
        await roll(cluster)
        (made,) = await cluster.all(kinds.REPLICA_SET)
        orphan = {**made, "metadata": {**made["metadata"], "ownerReferences": []}}
        await cluster.client.update(kinds.REPLICA_SET, orphan)
        await cluster.settle()
        (adopted,) = await cluster.all(kinds.REPLICA_SET)
        assert objects.controller_of(adopted) is not None
