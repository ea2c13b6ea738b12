from __future__ import annotations

from minikctl import errors
from minikctl.model import kinds, objects
from tests.controllers.cluster import Cluster, deployment
from tests.fakes.client import FakeClient


async def test_a_pod_that_vanishes_is_replaced_under_a_new_name(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=2))
        await cluster.start_pods()
        first = (await cluster.all(kinds.POD))[0]
        await cluster.client.delete(kinds.POD, objects.name(first), "default")
        await cluster.settle()
        await cluster.end_pods()
        await cluster.turn(0.1)
        names = {objects.name(pod) for pod in await cluster.all(kinds.POD)}
        assert len(names) == 2
        assert objects.name(first) not in names


async def test_a_refusal_is_told_and_tried_again(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    refused = True

    def refuse(verb: str, resource: str, *_: str) -> Exception | None:
        if refused and (verb, resource) == ("create", "pods"):
            return errors.forbidden("pods", "", "x", "exceeded quota")
        return None

    client.failures.append(refuse)
    async with cluster.running():
        await cluster.apply(deployment(replicas=1))
        await cluster.turn(1)
        (found,) = await cluster.all(kinds.REPLICA_SET)
        failure = objects.condition(found, "ReplicaFailure")
        assert failure is not None
        assert failure["reason"] == "FailedCreate"
        owner = await client.get(kinds.DEPLOYMENT, "web", "default")
        assert objects.condition(owner, "ReplicaFailure") is not None
        events = [message for reason, message in await cluster.events() if reason == "FailedCreate"]
        assert events == ['Error creating: pods "x" is forbidden: exceeded quota']
        tries = client.calls.count(("create", "pods", "default", client.calls[-1][3]))
        assert tries <= 10, "with longer and longer pauses"
        refused = False
        await cluster.turn(10)
        assert len(await cluster.all(kinds.POD)) == 1
        (found,) = await cluster.all(kinds.REPLICA_SET)
        assert objects.condition(found, "ReplicaFailure") is None


async def test_a_relabelled_pod_is_let_go_and_an_orphan_is_adopted(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment(replicas=1))
        await cluster.start_pods()
        (pod,) = await cluster.all(kinds.POD)
        labels = {"metadata": {"labels": {"app": "debug"}}}
        await cluster.client.patch(kinds.POD, objects.name(pod), "default", labels)
        await cluster.turn(0.1)
        released = await cluster.client.get(kinds.POD, objects.name(pod), "default")
        assert objects.controller_of(released) is None
        assert len(await cluster.all(kinds.POD)) == 2
        back = {"metadata": {"labels": {"app": "web"}}}
        await cluster.client.patch(kinds.POD, objects.name(pod), "default", back)
        await cluster.turn(0.1)
        found = [pod for pod in await cluster.all(kinds.POD) if not objects.is_deleting(pod)]
        assert len(found) == 1
        assert objects.controller_of(found[0]) is not None
