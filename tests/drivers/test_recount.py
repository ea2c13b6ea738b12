"""A network on which the engine counts endpoints that are gone is removed all the same, or it is said what helps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import docker, images, recount
from minikctl.drivers.engine import Network


class Daemon:
    """Answers as an engine with one network; who joins while another gets a new name is not counted."""

    def __init__(self) -> None:
        self.counted = 0
        self.containers: dict[str, bool] = {}
        self.has_network = True
        self.has_image = True
        self.miscounts = True
        self.looks = 0
        self._renames = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:  # it was only seen whether anybody is there
            writer.close()
            return
        method, target, _ = head.split(" ", 2)
        sizes = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        body = json.loads(await reader.readexactly(int(sizes[0].split(":")[1])) or b"{}") if sizes else {}
        path = target.partition("?")[0].split("/")[2:]
        status, answer = await self._answer(method, path, body)
        content = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n".encode()
        )
        writer.write(f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: list[str], body: dict[str, Any]) -> tuple[int, Any]:
        match method, path:
            case "GET", ["networks", "n"]:
                there = {name: {"Name": name} for name, is_on in self.containers.items() if is_on}
                return 200, {"Containers": there, "Labels": {"of": "us"}}
            case "DELETE", ["networks", "n"]:
                self.looks += 1
                if not self.has_network:
                    return 404, {"message": "network n not found"}
                if self.counted:
                    return 403, {"message": "network n id 1 has active endpoints"}
                self.has_network = False
            case "POST", ["containers", "create"]:
                if not self.has_image:
                    return 404, {"message": "No such image: minikctl-infra:latest"}
                assert body["Labels"] == {"of": "us"}
                self.containers[f"c{len(self.containers)}"] = False
                return 201, {"Id": [*self.containers][-1]}
            case "POST", ["containers", name, "start"]:
                self._join(name)
            case "POST", ["networks", "n", "connect"]:
                await asyncio.sleep(0.01)
                self._join(body["Container"])
            case "POST", ["networks", "n", "disconnect"]:
                self._leave(body["Container"])
            case "POST", ["containers", _, "rename"]:
                self._renames += 1
                await asyncio.sleep(0.01)
                self._renames -= 1
            case "DELETE", ["containers", name]:
                assert not self.containers.pop(name)
            case _:
                return 200, {"ApiVersion": "1.41"}
        return 204, {}

    def _join(self, name: str) -> None:
        self.containers[name] = True
        if not (self._renames and self.miscounts):
            self.counted += 1

    def _leave(self, name: str) -> None:
        self.containers[name] = False
        self.counted = max(self.counted - 1, 0)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def driver(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[docker.DockerEngine]:
    monkeypatch.setattr(recount, "LOOK_SECONDS", 0)
    server = await asyncio.start_unix_server(daemon.serve, f"{tmp_path}/sock")
    made = docker.DockerEngine("test", f"unix://{tmp_path}/sock")
    yield made
    await made.close()
    server.close()


async def test_an_empty_network_and_one_that_is_gone(daemon: Daemon, driver: docker.DockerEngine) -> None:
    await driver.remove_network("n")
    await driver.remove_network("n")
    assert (daemon.has_network, daemon.looks) == (False, 2)


async def test_what_is_counted_too_much_is_taken_away(daemon: Daemon, driver: docker.DockerEngine) -> None:
    daemon.counted = recount.JOINING + 3
    await driver.remove_network("n")
    assert (daemon.has_network, daemon.containers) == (False, {})


async def test_a_count_that_does_not_sink_is_told_with_what_helps(
    daemon: Daemon, driver: docker.DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "PATIENCE", 0.2)
    daemon.counted, daemon.miscounts = 1, False
    with pytest.raises(errors.DriverError, match=r"lost count\. Restart Docker, then: docker network rm n$"):
        await driver.remove_network("n")
    assert (daemon.counted, daemon.containers) == (1, {})


async def test_without_the_image_it_is_told_with_the_reason(
    daemon: Daemon, driver: docker.DockerEngine
) -> None:
    daemon.counted, daemon.has_image = 1, False
    with pytest.raises(
        errors.DriverError, match=r"\(No such image: minikctl-infra:latest\)\. Restart Docker"
    ):
        await driver.remove_network("n")


async def test_who_is_on_a_network_is_named_at_once(daemon: Daemon, driver: docker.DockerEngine) -> None:
    daemon.counted, daemon.containers = 2, {"b": True, "a": True}
    with pytest.raises(errors.DriverError, match="active endpoints: a, b; remove these containers"):
        await driver.remove_network("n")
    assert daemon.looks == 1


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_the_network_of_a_real_engine_goes_whether_or_not_it_lost_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it does so within twenty rounds is chance, and often so where much else runs."""
    name = f"mkd-{uuid.uuid4().hex[:8]}"
    labels = {"minikctl.dev/test": name}
    driver = docker.DockerEngine(name)
    await images.ensure_infra(driver)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(recount, "JOINING", 3)
            await _spoil(driver, name, labels)
        await driver.remove_network(name)
        assert (await driver.networks(labels), await driver.list(labels)) == ([], [])
    finally:
        for left in await driver.list(labels):
            await driver.remove(left.id)
        await driver.remove_network(name)
        await driver.close()


async def made(driver: docker.DockerEngine, name: str, labels: dict[str, str]) -> Network:
    """Make the network on a subnet that is free: others of this machine may be in the same range."""
    for third in range(1, 255):
        with contextlib.suppress(errors.DriverError):
            return await driver.create_network(name, f"10.197.{third}.0/24", labels)
    raise AssertionError("no free subnet")


async def _spoil(driver: docker.DockerEngine, name: str, labels: dict[str, str]) -> None:
    """Make the network and try to have the engine count too much: some leave at once while others get new names."""
    helpers = recount.Helpers(driver._call, name, labels)
    subnet = (await made(driver, name, labels)).subnet
    try:
        await helpers.start()
        for _ in range(20):
            await helpers.turn("connect", *helpers.joining, *helpers.renamed)
            await helpers.jostle("disconnect")
            await helpers.turn("disconnect", *helpers.renamed)
            if await recount._refusal(driver._call, name):
                return
            await driver.create_network(name, subnet, labels)
    finally:
        await helpers.remove()
