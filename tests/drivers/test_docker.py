"""A real engine behind a door that the test shuts: what is under way ends, and it goes on when the door opens."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers import docker, engine, images

pytestmark = pytest.mark.e2e
SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")


class Door:
    """A socket that leads to the engine while it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_unix_server(self._pass, self.path)

    async def shut(self) -> None:
        """Break all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._writers.clear()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(SOCKET)
        self._writers |= {writer, back}
        for one, other in ((reader, back), (there, writer)):
            task = asyncio.get_running_loop().create_task(self._copy(one, other))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """An open door."""
    made = Door(tmp_path / "door.sock")
    await made.open()
    yield made
    await made.shut()


async def test_an_engine_that_goes_away_and_comes_back(door: Door) -> None:
    name = f"mkd-{uuid.uuid4().hex[:8]}"
    labels = {"minikctl.dev/cluster": name}
    driver = docker.DockerEngine(name, f"unix://{door.path}")
    await images.ensure_infra(driver)
    spec = engine.ContainerSpec(name=name, image="minikctl-infra:latest", labels=labels)
    made = await driver.create(spec)
    try:
        await driver.start(made)
        events = driver.events(labels)
        logs = driver.logs(made, engine.LogOptions(follow=True))
        session = await driver.exec(made, ["cat"], engine.ExecOptions(stdin=True))
        waits = [asyncio.ensure_future(anext(one, None)) for one in (events, logs, session.output())]
        await asyncio.wait(waits, timeout=0.3)
        await door.shut()
        results = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), 30)
        assert isinstance(results[0], errors.EngineUnavailable)
        assert results[2] is None
        for call in (driver.list(labels), driver.inspect(made), driver.info(), session.exit_code()):
            with pytest.raises(errors.EngineUnavailable):
                await call
        await session.close()
        await door.open()
        assert [found.status for found in await driver.list(labels)] == ["running"]
    finally:
        await driver.remove(made)
        await driver.close()
