from __future__ import annotations

import os
import sys
import tarfile
from pathlib import Path

import pytest

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


@pytest.fixture(params=[True, *([False] if sys.version_info < (3, 12) else [])])
def filters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a Python with filters for archives, and one before 3.11.4."""
    if not request.param:
        monkeypatch.delattr(tarfile, "tar_filter", raising=False)


@pytest.mark.usefixtures("filters")
def test_devices_of_an_image_are_left_out_and_nothing_leaves_the_directory(tmp_path: Path) -> None:
    archive = tmp_path / "files.tar"
    archive.write_bytes(fake_container.tar({"etc/motd": b"hello", "/abs": b"inside"}))
    image_files._unpack(str(archive), str(tmp_path / "files"))
    assert (tmp_path / "files" / "etc" / "motd").read_text() == "hello"
    assert (tmp_path / "files" / "abs").read_text() == "inside"


@pytest.mark.usefixtures("filters")
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.LNKTYPE])
def test_what_a_link_of_an_image_leads_out_to_is_not_written(tmp_path: Path, kind: bytes) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("")
    with tarfile.open(tmp_path / "files.tar", "w") as archive:
        for name, type_, target in (("out", tarfile.SYMTYPE, str(outside)), ("out/made", kind, "out/secret")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = type_, target
            archive.addfile(member)
    with pytest.raises(tarfile.TarError):
        image_files._unpack(str(tmp_path / "files.tar"), str(tmp_path / "files"))
    assert os.listdir(outside) == ["secret"]
