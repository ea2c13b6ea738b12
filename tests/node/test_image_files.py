from __future__ import annotations

import os
from pathlib import Path

from minikctl.drivers import fake_container
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.actions.node import ImageVolume
from minikctl.node import image_files
from minikctl.plan.pod.view import ImageState
from tests.fakes.clock import FakeClock
from tests.node.harness import node_info


async def test_the_files_of_an_image_are_unpacked_once_and_nothing_is_left(tmp_path: Path) -> None:
    engine = FakeEngine(FakeClock())
    await engine.pull("web:1")
    found = await engine.image("web:1")
    assert found is not None
    volume = ImageVolume("v", str(tmp_path / "volumes" / "v"), "web:1", "Never")
    node, image = node_info("lab", tmp_path), ImageState("web:1", found.id)
    await image_files.write(engine, node, volume, image)
    assert await engine.list({}) == []
    assert sorted(os.listdir(tmp_path / "volumes")) == ["v", "v.image"]
    kept = tmp_path / "volumes" / "v" / "kept"
    kept.write_text("")
    await image_files.write(engine, node, volume, image)
    assert kept.exists(), "a running container sees the same files"


def test_devices_of_an_image_are_left_out_and_nothing_leaves_the_directory(tmp_path: Path) -> None:
    archive = tmp_path / "files.tar"
    archive.write_bytes(fake_container.tar({"etc/motd": b"hello", "/abs": b"inside"}))
    image_files._unpack(str(archive), str(tmp_path / "files"))
    assert (tmp_path / "files" / "etc" / "motd").read_text() == "hello"
    assert (tmp_path / "files" / "abs").read_text() == "inside"
