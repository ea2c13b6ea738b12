"""A node agent with everything around it in memory, or on a real engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from minikctl import errors
from minikctl.client.informer import Informers
from minikctl.drivers.engine import Container, Engine
from minikctl.model import kinds, objects
from minikctl.model.actions.api import RecordEvent
from minikctl.model.objects import Object
from minikctl.node import checks
from minikctl.node.agent import NodeAgent, NodeDrivers
from minikctl.node.sandbox import Sandbox
from minikctl.plan.pod import names
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime.clock import Clock
from tests.fakes.client import FakeClient

THREAD_SECONDS = 1.0
"""So long threads are waited for before the clock is turned on: a busy machine is slow to run them."""


class _Threads(ThreadPoolExecutor):
    """The threads that write files; knows how many still work, for the tests' clock stands meanwhile."""

    def __init__(self) -> None:
        super().__init__(max_workers=4)
        self.working: set[Future[Any]] = set()

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future = super().submit(work, *args, **more)
        self.working.add(future)
        future.add_done_callback(self.working.discard)
        return future


class RecordingNetwork:
    """Fits ``SandboxNetwork``; keeps what it was asked for, and fails as often as it is told."""

    def __init__(self) -> None:
        self.attached: list[Sandbox] = []
        self.detached: list[Sandbox] = []
        self.failures: list[errors.DriverError] = []
        self.withdrawn = asyncio.Event()
        self.withdrawn.set()

    async def attach(self, sandbox: Sandbox) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.attached.append(sandbox)

    async def withdraw(self, sandbox: Sandbox) -> None:
        await self.withdrawn.wait()

    async def detach(self, sandbox: Sandbox) -> None:
        self.detached.append(sandbox)


class ScriptedProber(checks.PassingProber):
    """Passes everything but what a test wants to fail: by container name or by the whole check."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.failing: list[Any] = []
        self.asked: list[Any] = []
        self.hooks: list[Any] = []

    async def check(self, check: Any, container_id: str, timeout: float) -> checks.Result:
        self.asked.append(check)
        if check in self.failing:
            return checks.Result(False, "it is broken")
        return await super().check(check, container_id, timeout)

    async def hook(self, hook: Any, container_id: str) -> checks.Result:
        self.hooks.append(hook)
        if hook in self.failing:
            return checks.Result(False, "hook is broken")
        return await super().hook(hook, container_id)


class Events:
    """Keeps the events that are recorded."""

    def __init__(self) -> None:
        self.all: list[RecordEvent] = []

    def record(self, action: RecordEvent) -> None:
        self.all.append(action)

    def texts(self, reason: str = "") -> list[str]:
        return [event.message for event in self.all if reason in ("", event.reason)]

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.all]


class FakeTokens:
    """Issues a token with a number of its own for each request, or refuses."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.asked: list[tuple[str, str, Object]] = []
        self.refusal: errors.StatusError | None = None

    def request(self, namespace: str, name: str, body: Object) -> Object:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append((namespace, name, body))
        until = self._clock.now() + timedelta(seconds=body["spec"]["expirationSeconds"])
        expiry = objects.timestamp(until)
        return {"status": {"token": f"token-{len(self.asked)}", "expirationTimestamp": expiry}}


@dataclass
class Bench:
    """One node under test."""

    engine: Any
    client: FakeClient
    clock: Any
    node: NodeInfo
    prober: Any = None
    network: RecordingNetwork = field(default_factory=RecordingNetwork)
    events: Events = field(default_factory=Events)
    tokens: FakeTokens = field(init=False)
    agent: NodeAgent | None = None

    def __post_init__(self) -> None:
        self.tokens = FakeTokens(self.clock)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[NodeAgent]:
        """Run a fresh agent, as a fresh control plane does; what is in the engine stays afterwards."""
        informers = Informers(self.client)
        drivers = NodeDrivers(
            self.engine,
            self.network,
            self.client,
            informers,
            self.events,
            self.clock,
            self.tokens,
            self.prober,
        )
        self.agent = NodeAgent(drivers, self.node)
        self.threads = _Threads()
        asyncio.get_running_loop().set_default_executor(self.threads)
        tasks = [asyncio.create_task(informers.run()), asyncio.create_task(self.agent.run())]
        try:
            yield self.agent
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def pod(self, name: str, namespace: str = "default") -> Object:
        found = self.client.find(kinds.POD, namespace, name)
        assert found is not None, name
        return found

    def status(self, name: str) -> Object:
        return objects.status(self.pod(name))

    def container(self, name: str, container: str = "app") -> Object:
        entries = self.status(name).get("containerStatuses") or []
        entries += self.status(name).get("initContainerStatuses") or []
        return next((dict(entry) for entry in entries if entry["name"] == container), {})

    async def until(self, condition: Callable[[], Any], advance: float = 0.1) -> None:
        """Turn the clock a little at a time until the condition holds; threads get real time meanwhile."""
        for _ in range(200):
            if condition():
                return
            await self.clock.advance(advance)
            await asyncio.sleep(0.002)
            patience = time.monotonic() + THREAD_SECONDS
            while self.threads.working and time.monotonic() < patience:
                await asyncio.sleep(0.002)
        raise AssertionError(f"it never came to that; events: {[e.message for e in self.events.all]}")

    def phase(self, name: str) -> str:
        found = self.client.find(kinds.POD, "default", name)
        return "" if found is None else str(objects.status(found).get("phase"))

    def ready(self, name: str) -> bool:
        found = self.client.find(kinds.POD, "default", name)
        condition = objects.condition(found, "Ready") if found else None
        return condition is not None and condition["status"] == "True"

    def waiting(self, name: str, container: str = "app") -> str:
        return str((self.container(name, container).get("state") or {}).get("waiting", {}).get("reason", ""))

    async def containers(self, role: str = "") -> list[Container]:
        labels = {names.CLUSTER: self.node.cluster} | ({names.ROLE: role} if role else {})
        return list(await self.engine.list(labels))


def node_info(cluster: str, pods_dir: Path, **more: Any) -> NodeInfo:
    """Return a node whose files are below a test's directory."""
    return NodeInfo(
        **{
            "cluster": cluster,
            "name": "node-1",
            "host_ip": "10.1.1.1",
            "network": f"minikctl-{cluster}",
            "pods_dir": str(pods_dir / "pods"),
            "memory_dir": "",
            "infra_image": "minikctl-infra:latest",
            "dns_ip": "10.96.0.10",
            "cpus": 4,
            "memory_bytes": 8 << 30,
            **more,
        }
    )


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    """Return a pod on the node; without containers it has one that runs until it is stopped."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "generation": 1},
        "spec": {
            "nodeName": "node-1",
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "containers": list(containers) or [container()],
            **spec,
        },
        "status": {"phase": "Pending"},
    }


def container(name: str = "app", *command: str, **more: Any) -> Object:
    """Return a container; without a command it is a server that the simulated engine does not know."""
    found: Object = {"name": name, "image": "demo:1", "imagePullPolicy": "IfNotPresent"}
    return found | ({"command": list(command)} if command else {}) | more


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Return once the condition holds, on a real clock."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


__all__ = ["Bench", "Clock", "Engine", "container", "eventually", "node_info", "pod"]
