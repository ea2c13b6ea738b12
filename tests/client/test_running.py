"""Who else runs a control plane, told from the files of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl.client import running
from minikctl.client.home import ClusterHome
from minikctl.client.settings import ClusterSettings


def process(place: Path, number: int, home: str, name: str, **variables: str) -> None:
    made = place / str(number)
    made.mkdir(parents=True)
    words = ["python", "-m", "minikctl.daemon", "--cluster", name]
    (made / "cmdline").write_text("\0".join(words) + "\0")
    settings = {"MINIKCTL_HOME": home, **variables}
    (made / "environ").write_text("\0".join(f"{key}={value}" for key, value in settings.items()) + "\0")


def test_control_planes_are_found_by_their_command_lines(tmp_path: Path) -> None:
    process(tmp_path, 7, "/home/b", "lab")
    process(tmp_path, 8, "/home/a", "other")
    (tmp_path / "9").mkdir()
    (tmp_path / "9" / "cmdline").write_text("bash\0")
    (tmp_path / "10").mkdir()  # it has ended
    (tmp_path / "self").mkdir()
    assert running.clusters(str(tmp_path)) == [("/home/a", "other"), ("/home/b", "lab")]
    assert running.clusters(str(tmp_path / "nothing")) == []


def test_rivals_share_the_name_and_the_engine_and_have_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    for root, runtime in (("own", "docker"), ("moved", "docker"), ("sim", "sim"), ("far", "docker")):
        ClusterHome("lab", str(tmp_path / root)).save(ClusterSettings("lab", runtime=runtime))
    processes = tmp_path / "proc"
    process(processes, 1, str(tmp_path / "own"), "lab")
    process(processes, 2, str(tmp_path / "moved"), "lab")
    process(processes, 3, str(tmp_path / "sim"), "lab")
    process(processes, 4, str(tmp_path / "far"), "lab", DOCKER_HOST="unix:///other.sock")
    process(processes, 5, str(tmp_path / "gone"), "lab")
    process(processes, 6, str(tmp_path / "moved"), "other")
    home = ClusterHome("lab", str(tmp_path / "own"))
    assert running.rivals(home, str(processes)) == [str(tmp_path / "moved" / "clusters" / "lab")]
