from __future__ import annotations

from collections.abc import Iterator

from minikctl.controllers import base
from minikctl.controllers.services import Selection
from minikctl.model import kinds, objects
from minikctl.model.kinds.base import Kind
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


def labelled(name: str, **labels: str) -> objects.Object:
    metadata = {"namespace": "default", "name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def selecting(name: str, **labels: str) -> objects.Object:
    return {"metadata": {"namespace": "default", "name": name}, "spec": {"selector": labels}}


def test_services_and_pods_find_one_another_as_both_change() -> None:
    pods, services = Cache(), Cache()
    selection = Selection(Caches({kinds.POD: pods, kinds.SERVICE: services}))
    told: list[objects.Key] = []
    selection.follow(told.append)
    wide, narrow, none = selecting("wide", a="1"), selecting("narrow", b="2", a="1"), selecting("none")
    for each in (wide, narrow, none):
        services.set(None, each)
    first, second = labelled("first", a="1"), labelled("second", a="1", b="2")
    pods.set(None, first)
    pods.set(None, second)
    assert told == [("default", "wide"), ("default", "narrow"), ("default", "wide")]
    assert [objects.name(each) for each in selection.pods(wide)] == ["first", "second"]
    assert [objects.name(each) for each in selection.pods(narrow)] == ["second"]
    assert selection.pods(none) == ()
    told.clear()
    moved = labelled("second", a="2", b="2")
    pods.set(second, moved)
    assert told == [("default", "narrow"), ("default", "wide")]
    assert selection.pods(narrow) == ()
    services.set(wide, selecting("wide", a="2"))
    told.clear()
    pods.set(moved, None)
    pods.set(first, None)
    assert told == [("default", "wide")]


class Cache:
    """Fits ``controllers.base.Cache`` as far as subscribers go."""

    def __init__(self) -> None:
        self._subscribers: list[base.Subscriber] = []

    def get(self, namespace: str, name: str) -> None: ...

    def items(self, namespace: str | None = None) -> Iterator[objects.Object]:
        yield from ()

    def subscribe(self, subscriber: base.Subscriber) -> None:
        self._subscribers.append(subscriber)

    async def synced(self) -> None: ...

    def set(self, old: objects.Object | None, new: objects.Object | None) -> None:
        """Tell of a change."""
        for subscriber in self._subscribers:
            subscriber(old, new)


class Caches:
    """Fits ``controllers.base.Caches``."""

    def __init__(self, caches: dict[Kind, Cache]) -> None:
        self._caches = caches

    def of(self, kind: Kind) -> Cache:
        return self._caches[kind]
