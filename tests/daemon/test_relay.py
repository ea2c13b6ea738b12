from __future__ import annotations

import shutil
from pathlib import Path

from minikctl.client.home import ClusterHome
from minikctl.daemon import relay


def test_a_directory_that_was_made_anew_is_told_from_the_one_before(tmp_path: Path) -> None:
    home = ClusterHome("lab", str(tmp_path))
    assert relay.made(home) == ""
    relay.socket_path(home)
    first = relay.made(home)
    relay.socket_path(home)
    assert first
    assert relay.made(home) == first
    shutil.rmtree(home.file(relay.DIRECTORY))
    relay.socket_path(home)
    assert relay.made(home) not in ("", first)


def test_a_copy_that_took_the_place_of_the_directory_is_told_from_it(tmp_path: Path) -> None:
    home = ClusterHome("lab", str(tmp_path))
    relay.socket_path(home)
    first = relay.made(home)
    shutil.copytree(home.file(relay.DIRECTORY), tmp_path / "copy")
    shutil.rmtree(home.file(relay.DIRECTORY))
    shutil.copytree(tmp_path / "copy", home.file(relay.DIRECTORY))
    relay.socket_path(home)
    assert relay.made(home) not in ("", first)
