"""What every client of the API promises: the one in memory for tests, and the true one in the process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.apiserver import bootstrap
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.client.base import Client, DeleteOptions, WatchEvent
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.store.store import Store
from tests.fakes.client import FakeClient

CONFIG = kinds.CONFIG_MAP


@pytest.fixture(params=["fake", "local"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    if request.param == "fake":
        yield FakeClient()
        return
    store = await Store.open(tmp_path / "store.db")
    registry = Registry(store)
    await registry.start()
    await bootstrap.bootstrap(registry)
    yield LocalClient(registry)
    await registry.close()
    await store.close()


def config(name: str = "a", **meta: object) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **meta},
        "data": {"k": "1"},
    }


def pod(name: str = "p") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": "n",
            "terminationGracePeriodSeconds": 7,
            "containers": [{"name": "c", "image": "i"}],
        },
    }


async def take(events: AsyncIterator[WatchEvent], count: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(events)
            if event.type != "BOOKMARK":
                found.append((event.type, objects.name(event.object)))
    return found


async def test_what_is_created_is_there(client: Client) -> None:
    made = await client.create(CONFIG, config())
    assert objects.uid(made)
    assert objects.resource_version(made)
    assert objects.parse_time(objects.meta(made)["creationTimestamp"])
    assert await client.get(CONFIG, "a", "default") == made
    listing = await client.list(CONFIG, "default")
    assert made in listing.items
    assert int(listing.resource_version) >= int(objects.resource_version(made))
    assert not (await client.list(CONFIG, "elsewhere")).items


async def test_names_are_taken_once(client: Client) -> None:
    await client.create(CONFIG, config())
    with pytest.raises(errors.StatusError) as refused:
        await client.create(CONFIG, config())
    assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")


async def test_names_are_generated(client: Client) -> None:
    body = config(generateName="x-")
    del body["metadata"]["name"]
    names = {objects.name(await client.create(CONFIG, body)) for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("x-") for name in names)


async def test_what_is_missing_is_not_found(client: Client) -> None:
    for wish in (
        client.get(CONFIG, "a", "default"),
        client.update(CONFIG, config()),
        client.patch(CONFIG, "a", "default", {}),
        client.delete(CONFIG, "a", "default"),
    ):
        with pytest.raises(errors.StatusError, match='configmaps "a" not found') as missing:
            await wish
        assert missing.value.code == 404


async def test_a_stale_update_is_a_conflict(client: Client) -> None:
    first = await client.create(CONFIG, config())
    second = await client.update(CONFIG, {**first, "data": {"k": "2"}})
    assert int(objects.resource_version(second)) > int(objects.resource_version(first))
    assert objects.uid(second) == objects.uid(first)
    with pytest.raises(errors.StatusError, match="the object has been modified") as stale:
        await client.update(CONFIG, {**first, "data": {"k": "3"}})
    assert (stale.value.code, stale.value.reason) == (409, "Conflict")
    assert await client.update(CONFIG, second) == second, "nothing changed, nothing is written"


async def test_patches(client: Client) -> None:
    await client.create(CONFIG, config())
    merged = await client.patch(CONFIG, "a", "default", {"data": {"k": None, "l": "2"}})
    assert merged["data"] == {"l": "2"}
    operations = [{"op": "add", "path": "/data/m", "value": "3"}]
    assert (await client.patch(CONFIG, "a", "default", operations, type="json"))["data"] == {
        "l": "2",
        "m": "3",
    }
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert objects.labels(await client.patch(CONFIG, "a", "default", labels, type="strategic")) == {"a": "b"}


async def test_status_is_apart(client: Client) -> None:
    made = await client.create(kinds.POD, pod())
    changed = await client.update(kinds.POD, {**made, "status": {"phase": "Running"}}, subresource="status")
    assert objects.status(changed)["phase"] == "Running"
    kept = await client.patch(kinds.POD, "p", "default", {"status": {"phase": "Failed"}})
    assert objects.status(kept)["phase"] == "Running"


async def test_deletion_asks_for_what_it_expects(client: Client) -> None:
    made = await client.create(CONFIG, config())
    with pytest.raises(errors.StatusError) as other:
        await client.delete(CONFIG, "a", "default", DeleteOptions(uid="someone-else"))
    assert other.value.reason == "Conflict"
    await client.delete(CONFIG, "a", "default", DeleteOptions(uid=objects.uid(made)))
    with pytest.raises(errors.StatusError):
        await client.get(CONFIG, "a", "default")


async def test_a_finalizer_holds_the_object(client: Client) -> None:
    await client.create(CONFIG, config(finalizers=["example.org/hold"]))
    marked = await client.delete(CONFIG, "a", "default")
    assert objects.is_deleting(marked)
    assert objects.is_deleting(await client.get(CONFIG, "a", "default"))
    await client.patch(CONFIG, "a", "default", {"metadata": {"finalizers": None}})
    with pytest.raises(errors.StatusError):
        await client.get(CONFIG, "a", "default")


async def test_a_pod_on_a_node_ends_in_its_own_time(client: Client) -> None:
    await client.create(kinds.POD, pod())
    marked = await client.delete(kinds.POD, "p", "default")
    assert objects.meta(marked)["deletionGracePeriodSeconds"] == 7
    await client.delete(kinds.POD, "p", "default", DeleteOptions(grace_seconds=0))
    with pytest.raises(errors.StatusError):
        await client.get(kinds.POD, "p", "default")


async def test_watches_go_on_from_a_list(client: Client) -> None:
    await client.create(CONFIG, config())
    start = (await client.list(CONFIG)).resource_version
    await client.create(CONFIG, config("b"))
    await client.create(kinds.POD, pod())
    events = client.watch(CONFIG, "default", resource_version=start)
    assert await take(events, 1) == [("ADDED", "b")]
    await client.patch(CONFIG, "b", "default", {"data": {"k": "2"}})
    await client.delete(CONFIG, "a", "default")
    assert await take(events, 2) == [("MODIFIED", "b"), ("DELETED", "a")]


async def test_selectors_bring_objects_into_sight_and_out_of_it(client: Client) -> None:
    start = (await client.list(CONFIG)).resource_version
    await client.create(CONFIG, config(labels={"see": "yes"}))
    await client.create(CONFIG, config("b"))
    assert [objects.name(obj) for obj in (await client.list(CONFIG, labels="see=yes")).items] == ["a"]
    assert [objects.name(o) for o in (await client.list(CONFIG, fields="metadata.name=b")).items] == ["b"]
    events = client.watch(CONFIG, resource_version=start, labels="see=yes")
    await client.patch(CONFIG, "b", "default", {"metadata": {"labels": {"see": "yes"}}})
    await client.patch(CONFIG, "a", "default", {"metadata": {"labels": {"see": "no"}}})
    assert await take(events, 3) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
