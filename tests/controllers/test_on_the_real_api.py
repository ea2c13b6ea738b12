"""The controllers on the real registry and store: what a fake API would not show."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from minikctl import controllers
from minikctl.apiserver.bootstrap import bootstrap
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.client.base import DeleteOptions
from minikctl.client.informer import Informers
from minikctl.model import flowcontrol, kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import node
from minikctl.runtime.clock import SystemClock
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder
from minikctl.store.store import Store
from tests.controllers.cluster import Machine, deployment, service


@dataclass
class Plane:
    """A control plane without a node agent."""

    store: Store
    client: LocalClient
    recorder: Recorder

    async def all(self, kind: Kind, namespace: str = "default") -> list[Object]:
        """Return all objects of a kind."""
        return list((await self.client.list(kind, namespace)).items)

    async def end_pods(self) -> None:
        """Have pods that are asked to end be gone."""
        for pod in await self.all(kinds.POD):
            if objects.is_deleting(pod):
                await self.client.delete(
                    kinds.POD, objects.name(pod), "default", DeleteOptions(grace_seconds=0)
                )


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Fail unless it comes to hold."""
    async with asyncio.timeout(30):
        while not await holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    store = await Store.open(tmp_path / "store.db")
    registry = Registry(store)
    await registry.start()
    await bootstrap(registry)
    client, clock = LocalClient(registry), SystemClock()
    informers, recorder = Informers(client), Recorder(client, clock)
    executor = ApiExecutor(client, recorder, clock, informers.known)
    settings = controllers.Settings({"one": node.Place()}, "v1", "CERTIFICATE", Machine())
    loops = controllers.build(client, informers, executor, clock, settings)
    works = [informers.run(), recorder.run(), *(loop.run() for loop in loops)]
    tasks = [asyncio.create_task(work) for work in works]
    yield Plane(store, client, recorder)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await registry.close()
    await store.close()


async def started(plane: Plane, replicas: int) -> None:
    """Have a Deployment and a Service with bound pods."""
    await plane.client.create(
        kinds.SERVICE, service() | {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    )
    await plane.client.create(kinds.DEPLOYMENT, deployment(replicas=replicas))

    async def bound() -> bool:
        pods = await plane.all(kinds.POD)
        return len(pods) == replicas and all(objects.spec(pod).get("nodeName") for pod in pods)

    await eventually(bound)


async def test_plans_are_stored_as_they_were_meant(plane: Plane) -> None:
    await started(plane, 3)
    for number, pod in enumerate(await plane.all(kinds.POD)):
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        address = f"10.201.0.{number + 2}"
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [ready]}
        await plane.client.update(kinds.POD, {**pod, "status": status}, subresource="status")

    async def available() -> bool:
        found = await plane.client.get(kinds.DEPLOYMENT, "web", "default")
        (endpoints,) = await plane.all(kinds.ENDPOINT_SLICE)
        ready = [each["conditions"]["ready"] for each in endpoints["endpoints"]]
        return objects.status(found).get("availableReplicas") == 3 and ready == [True] * 3

    # The Service "kubernetes" has a slice of its own only where pods can reach the API.
    await eventually(available)
    await plane.recorder.drain()
    before = 0
    for _ in range(10):
        if before == plane.store.revision:
            break
        before = plane.store.revision
        await asyncio.sleep(1)
    assert before == plane.store.revision, "what is stored is what is planned: nothing is written again"


async def test_a_foreground_deletion_goes_from_the_leaves_to_the_root(plane: Plane) -> None:
    await started(plane, 2)
    await plane.client.delete(kinds.DEPLOYMENT, "web", "default", DeleteOptions(propagation="Foreground"))

    async def pods_end() -> bool:
        return all(objects.is_deleting(pod) for pod in await plane.all(kinds.POD))

    await eventually(pods_end)
    assert [objects.is_deleting(each) for each in await plane.all(kinds.DEPLOYMENT)] == [True]
    assert [objects.is_deleting(each) for each in await plane.all(kinds.REPLICA_SET)] == [True]
    await plane.end_pods()

    async def gone() -> bool:
        return await plane.all(kinds.DEPLOYMENT) == await plane.all(kinds.REPLICA_SET) == []

    await eventually(gone)


async def test_orphans_stay(plane: Plane) -> None:
    await started(plane, 1)
    await plane.client.delete(kinds.DEPLOYMENT, "web", "default", DeleteOptions(propagation="Orphan"))

    async def gone() -> bool:
        return await plane.all(kinds.DEPLOYMENT) == []

    await eventually(gone)
    (left,) = await plane.all(kinds.REPLICA_SET)
    assert objects.controller_of(left) is None
    assert len(await plane.all(kinds.POD)) == 1


async def test_a_namespace_goes_with_all_that_is_in_it(plane: Plane) -> None:
    await plane.client.create(kinds.NAMESPACE, {"metadata": {"name": "gone"}})
    found = deployment()
    metadata = {**found["metadata"], "namespace": "gone"}
    await plane.client.create(kinds.DEPLOYMENT, {**found, "metadata": metadata})

    async def pods() -> bool:
        return len(await plane.all(kinds.POD, "gone")) == 3

    await eventually(pods)
    await plane.client.delete(kinds.NAMESPACE, "gone")

    async def gone() -> bool:
        for pod in await plane.all(kinds.POD, "gone"):
            if objects.is_deleting(pod):
                await plane.client.delete(
                    kinds.POD, objects.name(pod), "gone", DeleteOptions(grace_seconds=0)
                )
        return "gone" not in [objects.name(each) for each in await plane.all(kinds.NAMESPACE, "")]

    await eventually(gone)
    assert await plane.all(kinds.REPLICA_SET, "gone") == []


async def test_a_circle_of_owners_is_no_obstacle(plane: Plane) -> None:
    links = (("one", "three"), ("two", "one"), ("three", "two"))
    uids = {}
    for name, _ in links:
        metadata = {"name": name, "namespace": "default"}
        link = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        uids[name] = objects.uid(await plane.client.create(kinds.CONFIG_MAP, link))
    for name, owner in links:
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uids[owner]}
        body = {"metadata": {"ownerReferences": [{**reference, "blockOwnerDeletion": True}]}}
        await plane.client.patch(kinds.CONFIG_MAP, name, "default", body)
    await plane.client.delete(kinds.CONFIG_MAP, "one", "default", DeleteOptions(propagation="Foreground"))

    async def gone() -> bool:
        return not {objects.name(each) for each in await plane.all(kinds.CONFIG_MAP)} & set(uids)

    await eventually(gone)


async def test_flow_control_that_is_deleted_or_changed_comes_back(plane: Plane) -> None:
    async def told() -> bool:
        found = await plane.all(kinds.FLOW_SCHEMA, "")
        dangling = [objects.condition(each, "Dangling") for each in found]
        return len(found) == len(flowcontrol.SCHEMAS) and all(
            each is not None and each["status"] == "False" for each in dangling
        )

    async def dangles() -> bool:
        found = await plane.client.get(kinds.FLOW_SCHEMA, "mine")
        told = objects.condition(found, "Dangling") or {}
        return (told.get("status"), told.get("reason")) == ("True", "NotFound")

    async def restored() -> bool:
        found = await plane.client.get(kinds.PRIORITY_LEVEL, "system")
        return bool(found["spec"] == flowcontrol.LEVELS["system"]["spec"])

    await eventually(told)
    await plane.client.delete(kinds.FLOW_SCHEMA, "probes")
    await eventually(told)
    level = await plane.client.get(kinds.PRIORITY_LEVEL, "system")
    changed = {**level["spec"], "limited": {**level["spec"]["limited"], "nominalConcurrencyShares": 31}}
    await plane.client.update(kinds.PRIORITY_LEVEL, {**level, "spec": changed})
    await eventually(restored)
    spec = {"matchingPrecedence": 50, "priorityLevelConfiguration": {"name": "nowhere"}}
    await plane.client.create(kinds.FLOW_SCHEMA, {"metadata": {"name": "mine"}, "spec": spec})
    await eventually(dangles)
