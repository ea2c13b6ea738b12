from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl.client.base import DeleteOptions
from minikctl.client.informer import Informers
from minikctl.model import kinds, objects
from minikctl.node.static_pods import StaticPods
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder
from minikctl.runtime.tasks import Tasks
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock, settle

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: 'web:%d'}]}\n"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[tuple[FakeClient, StaticPods]]:
    clock = FakeClock()
    client = FakeClient(now=clock.now)
    informers = Informers(client)
    background = Tasks()
    informers.of(kinds.POD), informers.of(kinds.NODE)
    background.start(informers.run(), "informers")
    await client.create(kinds.NODE, {"metadata": {"name": "node-1"}})
    await settle()
    executor = ApiExecutor(client, Recorder(client, clock), clock, informers.known)
    yield client, StaticPods(informers, executor, clock, "node-1", str(tmp_path / "manifests"))
    await background.close()


async def test_pods_follow_the_files_of_the_directory(
    bench: tuple[FakeClient, StaticPods], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, static = bench

    async def images() -> list[str]:
        await static.step()
        await settle()
        for pod in (await client.list(kinds.POD)).items:
            if objects.is_deleting(pod):  # as the node does when the containers are gone
                await client.delete(kinds.POD, objects.name(pod), "default", DeleteOptions(grace_seconds=0))
        await settle()
        pods = (await client.list(kinds.POD)).items
        return [pod["spec"]["containers"][0]["image"] for pod in pods]

    assert await images() == []
    (tmp_path / "manifests").mkdir()
    file = tmp_path / "manifests" / "web.yaml"
    file.write_text(POD % 1)
    (tmp_path / "manifests" / "broken.yaml").write_text("{")
    (tmp_path / "manifests" / "notes.txt").write_text("no pod")
    (tmp_path / "manifests" / "away.yaml").symlink_to("nowhere")
    assert await images() == ["web:1"]
    assert "broken.yaml" in caplog.text
    assert "away.yaml: No such file or directory" in caplog.text
    caplog.clear()
    file.write_text(POD % 2)
    os.utime(file, (1, 1))
    for _ in range(2):
        seen = await images()
    assert seen == ["web:2"]
    assert "broken.yaml" not in caplog.text, "told once"
    assert "away.yaml" not in caplog.text, "told once"
    file.unlink()
    assert await images() == []
