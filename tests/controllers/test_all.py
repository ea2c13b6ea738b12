from __future__ import annotations

import pytest

from minikctl.model import kinds, objects
from tests.controllers.cluster import Cluster, deployment, namespace
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock


@pytest.fixture
def cluster() -> Cluster:
    clock = FakeClock()
    start = [namespace(name) for name in ("default", "kube-system", "kube-node-lease")]
    return Cluster(FakeClient(start, now=clock.now), clock)


async def test_a_deployment_becomes_running_pods(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(deployment())
        await cluster.turn(0.1)
        assert len(await cluster.all(kinds.REPLICA_SET)) == 1
        pods = await cluster.all(kinds.POD)
        assert len(pods) == 3
        assert {objects.spec(pod).get("nodeName") for pod in pods} == {"one"}
        assert await cluster.start_pods() == 3
        found = await cluster.client.get(kinds.DEPLOYMENT, "web", "default")
        assert objects.status(found)["availableReplicas"] == 3
