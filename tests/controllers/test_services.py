from __future__ import annotations

from minikctl.model import kinds, objects
from tests.controllers.cluster import Cluster, deployment, service


async def addresses(cluster: Cluster) -> list[tuple[str, bool]]:
    """Return (address, ready) of all endpoints."""
    found = []
    for each in await cluster.all(kinds.ENDPOINT_SLICE):
        found += [(one["addresses"][0], one["conditions"]["ready"]) for one in each["endpoints"]]
    return sorted(found)


async def test_endpoints_follow_pods(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(service())
        await cluster.apply(deployment(replicas=2))
        assert await addresses(cluster) == []
        await cluster.start_pods()
        await cluster.turn(0.1)
        assert [ready for _, ready in await addresses(cluster)] == [True, True]
        first = (await cluster.all(kinds.POD))[0]
        await cluster.client.delete(kinds.POD, objects.name(first), "default")
        await cluster.settle()
        gone = objects.status(first)["podIP"]
        assert (gone, False) in await addresses(cluster)
        older = await cluster.client.get(kinds.ENDPOINTS, "web", "default")
        assert gone not in str(older["subsets"])
        await cluster.end_pods()
        assert (gone, False) not in await addresses(cluster)


async def test_slices_and_endpoints_go_with_their_service(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(service())
        assert len(await cluster.all(kinds.ENDPOINT_SLICE)) == 1
        assert len(await cluster.all(kinds.ENDPOINTS)) == 1
        await cluster.client.delete(kinds.SERVICE, "web", "default")
        await cluster.settle()
        assert await cluster.all(kinds.ENDPOINT_SLICE) == []
        assert await cluster.all(kinds.ENDPOINTS) == []


async def test_a_slice_that_was_changed_is_repaired(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(service())
        (found,) = await cluster.all(kinds.ENDPOINT_SLICE)
        rogue = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
        await cluster.client.update(kinds.ENDPOINT_SLICE, {**found, "endpoints": [rogue]})
        await cluster.settle()
        assert await addresses(cluster) == []


async def test_a_node_of_another_zone_changes_the_slices(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(service())
        await cluster.apply(deployment(replicas=1))
        await cluster.start_pods()
        zone = {"metadata": {"labels": {"topology.kubernetes.io/zone": "z"}}}
        await cluster.client.patch(kinds.NODE, "one", "", zone)
        await cluster.settle()
        (found,) = await cluster.all(kinds.ENDPOINT_SLICE)
        assert found["endpoints"][0]["zone"] == "z"
