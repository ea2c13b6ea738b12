"""The network's surroundings in memory: an API, its caches, an engine, and time that a test turns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from typing import Any

from minikctl.client.informer import Informers
from minikctl.client.settings import ClusterSettings
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.actions import api
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.runtime.executor import ApiExecutor
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle

SETTINGS = NetworkSettings(
    ClusterSettings("test", pod_cidr="10.1.0.0/20"), "10.1.0.0/20", "10.1.0.1", "here", "/nowhere", "infra"
)


def event_of(said: api.RecordEvent, at: str = "2026-01-01T00:00:00Z") -> Any:
    """Return what the API keeps of something that was said."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "default", "name": f"{said.reason.lower()}.{at.lower()}"},
        "involvedObject": {"uid": said.regarding["metadata"].get("uid", "")},
        "reason": said.reason,
        "source": {"component": said.component},
        "message": said.message,
        "lastTimestamp": at,
    }


@dataclass
class Events:
    """Takes events and keeps them."""

    found: list[api.RecordEvent] = field(default_factory=list)

    def record(self, action: api.RecordEvent) -> None:
        self.found.append(action)

    def reasons(self, name: str) -> list[str]:
        return [one.reason for one in self.found if one.regarding["metadata"]["name"] == name]


@dataclass
class Surroundings:
    """What controllers work with."""

    client: FakeClient = field(default_factory=FakeClient)
    clock: FakeClock = field(default_factory=FakeClock)
    events: Events = field(default_factory=Events)

    def __post_init__(self) -> None:
        self.informers = Informers(self.client)
        self.engine = FakeEngine(self.clock)
        executor = ApiExecutor(self.client, self.events, self.clock, self.informers.known)
        self.tools = Tools(self.informers, executor, self.events, self.engine, self.clock)

    @contextlib.asynccontextmanager
    async def running(self, *works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Have the caches and these follow the API during the block."""
        tasks = [asyncio.create_task(work) for work in (self.informers.run(), *works)]
        await settle()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def turn(self, seconds: float = 0.1) -> None:
        """Let time pass and everything happen that follows."""
        await settle()
        await self.clock.advance(seconds)
        await settle()
