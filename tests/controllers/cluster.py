"""A control plane in memory: a client, informers, all controllers, and pods that start when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from minikctl import controllers
from minikctl.client.base import Client, DeleteOptions
from minikctl.client.informer import Informers
from minikctl.model import kinds, objects
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import node, readiness
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder
from tests.fakes.clock import FakeClock, settle

NODE = "one"
FACTS = node.Facts(
    cpus=4,
    memory_bytes=8 << 30,
    architecture="amd64",
    operating_system="linux",
    kernel="6.1",
    os_image="Debian 12",
    runtime="docker://20.10",
    address="10.201.0.1",
)


class Machine:
    """The node's facts, which a test may change or make unavailable."""

    def __init__(self) -> None:
        self.facts = FACTS
        self.error: Exception | None = None
        self.changed: Callable[[], None] = lambda: None

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Take what a test calls when the engine came or went."""
        self.changed = changed

    async def __call__(self) -> node.Facts:
        """Return the facts or raise the error."""
        if self.error is not None:
            raise self.error
        return self.facts

    def resize(self, cpus: int) -> None:
        """Give the machine another number of cores."""
        self.facts = replace(self.facts, cpus=cpus)


class Cluster:
    """A running control plane; the test turns the clock."""

    def __init__(self, client: Client, clock: FakeClock) -> None:
        self.client = client
        self.clock = clock
        self.machine = Machine()
        self.informers = Informers(client)
        self.recorder = Recorder(client, clock)
        self.executor = ApiExecutor(client, self.recorder, clock, self.informers.known)
        settings = controllers.Settings(
            {NODE: node.Place()}, "v1.36.2+minikctl", "CERTIFICATE", self.machine, self.machine.subscribe
        )
        self.loops = controllers.build(client, self.informers, self.executor, clock, settings)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have everything run during the block."""
        async with asyncio.TaskGroup() as group:
            works = [self.informers.run(), self.recorder.run(), *(loop.run() for loop in self.loops)]
            tasks = [group.create_task(work) for work in works]
            try:
                await self.settle()
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        quiet = 0
        for _ in range(500):
            await settle(20)
            quiet = 0 if any(loop.queue.busy for loop in self.loops) else quiet + 1
            if quiet == 3:
                return
        busy = [loop.controller.name for loop in self.loops if loop.queue.busy]
        raise AssertionError(f"these controllers do not come to rest without time: {busy}")

    async def turn(self, seconds: float) -> None:
        """Turn the clock."""
        await self.clock.advance(seconds)
        await self.settle()

    async def apply(self, obj: Object) -> Object:
        """Create the object and let everything follow."""
        kind = kinds.of(obj)
        assert kind is not None
        found = await self.client.create(kind, obj)
        await self.settle()
        return found

    async def all(self, kind: Kind, namespace: str = "default") -> list[Object]:
        """Return all objects of a kind."""
        return list((await self.client.list(kind, namespace)).items)

    async def start_pods(self, *, ready: bool = True, limit: int = 1000) -> int:
        """Have pods that are bound and not running yet run; return how many."""
        started = 0
        for pod in await self.all(kinds.POD, ""):
            if objects.spec(pod).get("nodeName") and readiness.phase(pod) != "Running" and started < limit:
                await self.client.update(
                    kinds.POD, run(pod, self.clock, started, ready=ready), subresource="status"
                )
                started += 1
        await self.settle()
        return started

    async def end_pods(self) -> int:
        """Have pods that are asked to end be gone; return how many."""
        ended = 0
        for pod in await self.all(kinds.POD, ""):
            if objects.is_deleting(pod):
                namespace, name = objects.key(pod)
                await self.client.delete(kinds.POD, name, namespace, DeleteOptions(grace_seconds=0))
                ended += 1
        await self.settle()
        return ended

    async def events(self, namespace: str = "default") -> list[tuple[str, str]]:
        """Return (reason, message) of all events."""
        await self.recorder.drain()
        return [(each["reason"], each["message"]) for each in await self.all(kinds.EVENT, namespace)]


def run(pod: Object, clock: FakeClock, number: int, *, ready: bool) -> Object:
    """Return the pod as its node would report it."""
    now = objects.timestamp(clock.now())
    conditions: list[dict[str, Any]] = [
        {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": now}
        for kind in ("Ready", "ContainersReady")
    ]
    address = f"10.201.{number // 250}.{number % 250 + 2}"
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
    return {**pod, "status": status}


def service(name: str = "web") -> Object:
    """Return a Service of the pods labelled app=web."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"app": "web"},
            "clusterIP": "10.96.0.20",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
    }


def namespace(name: str = "default") -> Object:
    """Return a namespace as the API would store it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def deployment(name: str = "web", replicas: int = 3, image: str = "demo:1", **spec: Any) -> Object:
    """Return a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
            **spec,
        },
    }
