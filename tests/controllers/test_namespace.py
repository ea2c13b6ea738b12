from __future__ import annotations

from minikctl import errors
from minikctl.client.base import DeleteOptions
from minikctl.model import kinds, objects
from tests.controllers.cluster import Cluster, namespace
from tests.fakes.client import FakeClient


def mark(cluster: Cluster, name: str) -> None:
    """Mark the namespace for deletion as the API does."""
    client = cluster.client
    assert isinstance(client, FakeClient)
    found = client.find(kinds.NAMESPACE, "", name)
    assert found is not None
    metadata = {**found["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    client.put({**found, "metadata": metadata, "status": {"phase": "Terminating"}})


def thing(kind: str, name: str, **fields: object) -> dict[str, object]:
    """Return an object in the namespace "gone"."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "gone"}, **fields}


async def test_every_namespace_has_an_account_and_the_certificate(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(namespace("new"))
        assert [objects.name(each) for each in await cluster.all(kinds.SERVICE_ACCOUNT, "new")] == ["default"]
        (found,) = await cluster.all(kinds.CONFIG_MAP, "new")
        assert found["data"] == {"ca.crt": "CERTIFICATE"}
        await cluster.client.delete(kinds.CONFIG_MAP, "kube-root-ca.crt", "new")
        await cluster.client.delete(kinds.SERVICE_ACCOUNT, "default", "new")
        await cluster.settle()
        assert len(await cluster.all(kinds.CONFIG_MAP, "new")) == 1
        assert len(await cluster.all(kinds.SERVICE_ACCOUNT, "new")) == 1


async def test_a_deleted_namespace_is_emptied_and_let_go_when_its_pods_have_ended(cluster: Cluster) -> None:
    async with cluster.running():
        await cluster.apply(namespace("gone"))
        await cluster.apply(thing("Secret", "s"))
        await cluster.apply(thing("Pod", "p", spec={"nodeName": "one"}))
        mark(cluster, "gone")
        await cluster.settle()
        await cluster.turn(6)
        assert len(await cluster.all(kinds.SECRET, "gone")) == 1, "pods go before what they use"
        found = await cluster.client.get(kinds.NAMESPACE, "gone")
        remaining = objects.condition(found, "NamespaceContentRemaining")
        assert remaining is not None
        assert remaining["message"] == "Some resources are remaining: pods. has 1 resource instances"
        await cluster.end_pods()
        await cluster.turn(6)
        assert await cluster.all(kinds.SECRET, "gone") == []
        names = [objects.name(each) for each in await cluster.all(kinds.NAMESPACE, "")]
        # The fake API keeps a namespace whose finalizers are gone; the real one ends it.
        finalizers = objects.spec(await cluster.client.get(kinds.NAMESPACE, "gone"))["finalizers"]
        assert ("gone" in names, finalizers) == (True, [])


async def test_content_that_cannot_be_deleted_is_told(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    async with cluster.running():
        await cluster.apply(namespace("gone"))
        await cluster.apply(thing("Secret", "s"))
        client.failures.append(
            lambda *call: errors.bad_request("no") if call[:2] == ("delete", "secrets") else None
        )
        mark(cluster, "gone")
        await cluster.turn(1)
        found = await client.get(kinds.NAMESPACE, "gone")
        failure = objects.condition(found, "NamespaceDeletionContentFailure")
        assert failure is not None
        assert failure["message"] == "Failed to delete all resource types, 1 remaining: no"
        client.failures.clear()
        await cluster.turn(30)
        assert await cluster.all(kinds.SECRET, "gone") == []


async def test_what_ends_elsewhere_wakes_no_namespace(cluster: Cluster) -> None:
    client = cluster.client
    assert isinstance(client, FakeClient)
    async with cluster.running():
        await cluster.apply({**thing("Secret", "s"), "metadata": {"name": "s", "namespace": "default"}})
        before = len(client.calls)
        await client.delete(kinds.SECRET, "s", "default", DeleteOptions())
        await cluster.settle()
        assert [call for call in client.calls[before:] if call[0] == "list"] == []
