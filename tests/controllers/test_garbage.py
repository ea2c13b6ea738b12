from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.client.base import DeleteOptions, Propagation
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from tests.controllers.cluster import Cluster, deployment
from tests.fakes.client import FakeClient


async def started(cluster: Cluster) -> None:
    """Have a Deployment with two running pods."""
    await cluster.apply(deployment(replicas=2))
    await cluster.turn(0.1)
    await cluster.start_pods()


async def delete(cluster: Cluster, propagation: Propagation) -> None:
    """Delete the Deployment as the API does: with the finalizer of the propagation."""
    finalizers = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(propagation, [])
    body = {"metadata": {"finalizers": finalizers}}
    await cluster.client.patch(kinds.DEPLOYMENT, "web", "default", body)
    await cluster.client.delete(kinds.DEPLOYMENT, "web", "default", DeleteOptions(propagation=propagation))
    await cluster.settle()
    await cluster.turn(0.1)


async def test_dependents_follow_their_owner(cluster: Cluster) -> None:
    async with cluster.running():
        await started(cluster)
        await delete(cluster, "Background")
        assert await cluster.all(kinds.DEPLOYMENT) == []
        assert await cluster.all(kinds.REPLICA_SET) == []
        assert all(objects.is_deleting(pod) for pod in await cluster.all(kinds.POD))
        await cluster.end_pods()
        assert await cluster.all(kinds.POD) == []


async def test_orphans_stay(cluster: Cluster) -> None:
    async with cluster.running():
        await started(cluster)
        await delete(cluster, "Orphan")
        assert await cluster.all(kinds.DEPLOYMENT) == []
        (left,) = await cluster.all(kinds.REPLICA_SET)
        assert objects.controller_of(left) is None
        assert len(await cluster.all(kinds.POD)) == 2


async def test_owners_of_unknown_kinds_are_believed(cluster: Cluster) -> None:
    async with cluster.running():
        reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "w"}
        metadata = {"name": "kept", "namespace": "default", "ownerReferences": [reference]}
        await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        await cluster.turn(60)
        assert "kept" in [objects.name(each) for each in await cluster.all(kinds.CONFIG_MAP)]


async def test_an_owner_is_missed_only_if_the_api_says_so(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    lost = True

    def unreachable(verb: str, *_: str) -> Exception | None:
        return errors.StatusError(503, "ServiceUnavailable", "try later") if lost and verb == "get" else None

    client.failures.append(unreachable)
    async with cluster.running():
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}
        metadata = {"name": "child", "namespace": "default", "ownerReferences": [reference]}
        await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        await cluster.turn(1)
        assert len(await cluster.all(kinds.SECRET)) == 1
        lost = False
        await cluster.turn(5)
        assert await cluster.all(kinds.SECRET) == []


@pytest.mark.parametrize("name", ["gone", "kept"])
async def test_owners_may_be_cluster_scoped(cluster: Cluster, name: str) -> None:
    async with cluster.running():
        node = await cluster.client.get(kinds.NODE, "one")
        uid = objects.uid(node) if name == "kept" else "an earlier node"
        reference = {"apiVersion": "v1", "kind": "Node", "name": "one", "uid": uid}
        metadata = {"name": name, "namespace": "default", "ownerReferences": [reference]}
        await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        left = [objects.name(each) for each in await cluster.all(kinds.SECRET)]
        assert left == ([name] if name == "kept" else [])


async def test_a_cluster_scoped_object_cannot_be_owned_from_a_namespace(cluster: Cluster) -> None:
    async with cluster.running():
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "gone"}
        metadata = {"name": "class", "ownerReferences": [reference]}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass"}
        await cluster.apply({**kind, "metadata": metadata, "spec": {"controller": "x"}})
        assert len(await cluster.all(kinds.INGRESS_CLASS, "")) == 1


async def test_an_owner_under_an_old_name_is_another_one(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    async with cluster.running():
        owner: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "owner", "namespace": "default"},
        }
        made = await cluster.apply(owner)
        metadata = {
            "name": "child",
            "namespace": "default",
            "ownerReferences": [objects.owner_reference(made)],
        }
        await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
        client.put({**owner, "metadata": {**objects.meta(owner), "uid": "second"}})
        await cluster.settle()
        assert await cluster.all(kinds.SECRET) == []


async def test_leases_own_and_are_owned(cluster: Cluster) -> None:
    async with cluster.running():
        first = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
        await cluster.apply(first)
        found = await cluster.client.get(kinds.CONFIG_MAP, "a", "default")
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": objects.uid(found)}
        metadata = {"name": "b", "namespace": "default", "ownerReferences": [owner]}
        await cluster.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata})
        lease = await cluster.client.get(kinds.LEASE, "b", "default")
        owner = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "name": "b",
            "uid": objects.uid(lease),
        }
        metadata = {"name": "c", "namespace": "default", "ownerReferences": [owner]}
        await cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        await cluster.settle()
        await cluster.client.delete(kinds.CONFIG_MAP, "a", "default")
        await cluster.turn(0.1)
        assert "c" not in [objects.name(each) for each in await cluster.all(kinds.CONFIG_MAP)]
        assert "b" not in [objects.name(each) for each in await cluster.all(kinds.LEASE)]
