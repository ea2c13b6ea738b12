from __future__ import annotations

import copy

import pytest

from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.client.base import Client, DeleteOptions
from minikctl.errors import StatusError
from minikctl.model import kinds
from tests.apiserver import samples


def placed(obj: samples.Object) -> samples.Object:
    return {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}


@pytest.fixture
def client(registry: Registry) -> Client:
    return LocalClient(registry)


async def test_the_whole_life_of_an_object(client: Client) -> None:
    given = placed(samples.deployment())
    before = copy.deepcopy(given)
    made = await client.create(kinds.DEPLOYMENT, given)
    assert given == before
    assert await client.get(kinds.DEPLOYMENT, "web", "default") == made
    listed = await client.list(kinds.DEPLOYMENT, labels="a!=b", fields="metadata.name=web")
    assert [each["metadata"]["uid"] for each in listed.items] == [made["metadata"]["uid"]]
    wanted = {**made, "spec": {**made["spec"], "replicas": 7}}
    updated = await client.update(kinds.DEPLOYMENT, wanted)
    assert updated["spec"]["replicas"] == 7
    with pytest.raises(StatusError, match="the object has been modified"):
        await client.update(kinds.DEPLOYMENT, wanted)
    status = await client.update(
        kinds.DEPLOYMENT, {**updated, "status": {"replicas": 1}}, subresource="status"
    )
    assert status["status"] == {"replicas": 1}
    body = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "b"}]}}}}
    patched = await client.patch(kinds.DEPLOYMENT, "web", "default", body, type="strategic")
    assert patched["spec"]["template"]["spec"]["containers"][0]["image"] == "b"
    with pytest.raises(StatusError, match="the UID in the precondition"):
        await client.delete(kinds.DEPLOYMENT, "web", "default", DeleteOptions(uid="x"))
    left = await client.delete(kinds.DEPLOYMENT, "web", "default")
    assert left["metadata"]["uid"] == made["metadata"]["uid"]


async def test_what_was_made_is_watched(client: Client) -> None:
    listed = await client.list(kinds.CONFIG_MAP)
    made = await client.create(kinds.CONFIG_MAP, placed(samples.config_map()))
    async for event in client.watch(kinds.CONFIG_MAP, resource_version=listed.resource_version):
        assert (event.type, event.object) == ("ADDED", made)
        break


async def test_views_are_converted(client: Client) -> None:
    await client.create(kinds.INGRESS, placed(samples.ingress()))
    old = await client.get(kinds.INGRESS_EXTENSIONS, "web", "default")
    assert old["apiVersion"] == "extensions/v1beta1"
    assert old["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {"serviceName": "web", "servicePort": 80}


async def test_a_controller_can_end_a_namespace(client: Client) -> None:
    await client.create(kinds.NAMESPACE, {"metadata": {"name": "team"}})
    ending = await client.delete(kinds.NAMESPACE, "team")
    assert ending["status"]["phase"] == "Terminating"
    told = {**ending, "status": {**ending["status"], "conditions": []}}
    ending = await client.update(kinds.NAMESPACE, told, subresource="status")
    released = {**ending, "spec": {"finalizers": []}}
    await client.update(kinds.NAMESPACE, released, subresource="finalize")
    with pytest.raises(StatusError, match='namespaces "team" not found'):
        await client.get(kinds.NAMESPACE, "team")
