"""Files of the host, and of no host."""

from __future__ import annotations

from pathlib import Path

from minikctl.drivers.engine import ContainerSpec
from minikctl.model.actions.node import HostFile, RunContainer, ScratchVolume, SubPath
from minikctl.node.host_files import NoFiles, RealFiles


async def test_real_files_are_written_and_removed(tmp_path: Path) -> None:
    real, volume = RealFiles(), ScratchVolume("v", str(tmp_path / "v"))
    await real.write(volume)
    message = tmp_path / "message"
    spec = ContainerSpec("app", "demo:1", {}, security_opt=("no-new-privileges",))
    action = RunContainer("app", spec, (HostFile(str(message), "hello"),), (SubPath(volume.path, "part"),))
    sources, options = await real.prepare(action)
    assert sources == {f"{volume.path}/part": str(Path(volume.path).resolve() / "part")}
    assert options == ("no-new-privileges",)
    assert await real.tail(str(message), 3) == "llo"
    assert await real.remove([volume.path]) == []
    assert not Path(volume.path).exists()


async def test_simulated_containers_leave_no_files(tmp_path: Path) -> None:
    none, volume = NoFiles(), ScratchVolume("v", str(tmp_path / "v"))
    await none.write(volume)
    spec = ContainerSpec("app", "demo:1", {}, security_opt=("seccomp=/profile",))
    assert await none.prepare(RunContainer("app", spec)) == ({}, ("seccomp=/profile",))
    assert await none.remove([volume.path]) == []
    assert await none.tail(str(tmp_path / "message"), 3) == ""
    assert not list(tmp_path.iterdir())
