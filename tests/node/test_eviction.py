from __future__ import annotations

import os
from pathlib import Path

from minikctl.node import eviction


def test_what_a_directory_takes_on_the_disk(tmp_path: Path) -> None:
    assert eviction.used(str(tmp_path / "none")) == 0
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "file"
    file.write_bytes(b"x" * (1 << 20))
    os.link(file, tmp_path / "again")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 30)
    assert 1 << 20 <= eviction.used(str(tmp_path)) < 2 << 20, "links count once, holes do not"
