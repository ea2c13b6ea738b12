"""Engines to hold to the contract: the simulated one, and a real one behind the ``e2e`` mark."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import docker, fake_engine, images
from minikctl.drivers.engine import Container, ContainerSpec, Engine, Network
from minikctl.runtime import clock

IMAGE = "minikctl-infra:latest"
SUBNETS = "10.199.{}.0/24"


@dataclass(frozen=True)
class Bench:
    """An engine under test, and the labels by which everything made in it is found and removed."""

    engine: Engine
    labels: dict[str, str]
    name: str
    real: bool

    def spec(self, name: str = "a", *command: str, **more: Any) -> ContainerSpec:
        """Return a container's description; without a command it is a pause container."""
        if command:
            more |= {"entrypoint": command[:1], "command": command[1:]}
        return ContainerSpec(
            name=f"{self.name}-{name}", image=IMAGE, labels=self.labels | {"contract/name": name}, **more
        )

    async def start(self, name: str = "a", *command: str, **more: Any) -> str:
        """Create and start a container; return its id."""
        made = await self.engine.create(self.spec(name, *command, **more))
        await self.engine.start(made)
        return made

    async def ended(self, container_id: str) -> Container:
        """Return the container once it has ended."""
        while True:
            found = await self.engine.inspect(container_id)
            assert found is not None
            if found.status == "exited":
                return found
            await asyncio.sleep(0.02)

    async def clean(self) -> None:
        """Remove everything that was made."""
        for container in await self.engine.list(self.labels):
            await self.engine.remove(container.id)
        for network in await self.engine.networks(self.labels):
            await self.engine.remove_network(network.name)


async def make_network(bench: Bench, name: str) -> Network:
    """Make a network on a subnet that is free: others of this machine may be in the same range."""
    for third in range(1, 255):
        with contextlib.suppress(errors.DriverError):
            return await bench.engine.create_network(name, SUBNETS.format(third), bench.labels)
    raise AssertionError("no free subnet")


@pytest.fixture(params=["fake", pytest.param("docker", marks=pytest.mark.e2e)])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """An engine with nothing of ours in it; what a test leaves behind is removed."""
    real = request.param == "docker"
    name = f"mkc-{uuid.uuid4().hex[:8]}"
    made: Engine = docker.DockerEngine(name) if real else fake_engine.FakeEngine(clock.SystemClock())
    bench = Bench(made, {"minikctl.dev/cluster": name}, name, real)
    try:
        await images.ensure_infra(made)
        yield bench
    finally:
        await bench.clean()
        await made.close()
