"""A cluster's state in a file: saved while it runs, restored in place or as another cluster."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from minikctl.cli import live
from tests.cli.conftest import Outcome, World, call


@pytest.fixture
def copy(world: World) -> Iterator[str]:
    """Yield the name of a cluster that is deleted afterwards."""
    yield "copy"
    call("--cluster", "copy", "cluster", "delete")


def on(cluster: str, *words: str) -> Outcome:
    """Run minikctl on that cluster."""
    return call("--cluster", cluster, *words)


def test_a_cluster_is_made_from_a_snapshot_and_goes_back_to_it(
    world: World, copy: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "s.tgz")
    assert world.run("create", "cm", "kept", "--from-literal=a=b").code == 0
    saved = world.run("cluster", "snapshot", "save", path)
    assert (saved.code, saved.out[:19]) == (0, 'Cluster "cli" saved')
    assert Path(path).stat().st_mode & 0o077 == 0
    world.run("delete", "cm", "kept")
    assert on(copy, "cluster", "snapshot", "restore", path).code == 0
    assert on(copy, "get", "cm", "kept", "-o", "jsonpath={.data.a}").out == "b"
    assert "configmap/kept" not in world.run("get", "cm", "-o", "name").out
    on(copy, "delete", "cm", "kept")
    refused = on(copy, "cluster", "snapshot", "restore", path)
    assert (refused.code, "--force" in refused.err) == (1, True)
    assert on(copy, "cluster", "snapshot", "restore", path, "--force").code == 0
    assert on(copy, "get", "cm", "kept", "-o", "jsonpath={.data.a}").out == "b"


def test_what_is_no_snapshot_is_refused(world: World, tmp_path: Path) -> None:
    path = tmp_path / "no.tgz"
    path.write_bytes(b"nope")
    assert "unable to read" in on("other", "cluster", "snapshot", "restore", str(path)).err
    with tarfile.open(path, "w:gz") as archive:
        archive.add(__file__, "store.db")
    assert "is no snapshot" in on("other", "cluster", "snapshot", "restore", str(path)).err
    assert on("other", "cluster", "snapshot", "save", str(path)).code == 1


def test_sparklines_are_between_nothing_and_the_most() -> None:
    assert live.sparkline([0, 5, 10]) == "▁▅█"
    assert live.sparkline([0, 0]) == "▁▁"
    assert live.sparkline([]) == ""
