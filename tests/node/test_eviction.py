from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from minikctl.drivers.fake_engine import FakeEngine
from minikctl.node import eviction
from tests.fakes.clock import FakeClock


def test_what_a_directory_takes_on_the_disk(tmp_path: Path) -> None:
    assert eviction.used(str(tmp_path / "none")) == 0
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "file"
    file.write_bytes(b"x" * (1 << 20))
    os.link(file, tmp_path / "again")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 30)
    assert 1 << 20 <= eviction.used(str(tmp_path)) < 2 << 20, "links count once, holes do not"


async def test_only_containers_that_are_there_are_measured() -> None:
    class Engine(FakeEngine):
        async def written(self, container_id: str) -> int:
            return {"abc": 5, "def": 7}[container_id]

    statuses: list[dict[str, Any]] = [{"name": "a", "containerID": "docker://abc"}, {"name": "b"}]
    sidecars = [{"name": "proxy", "containerID": "docker://def"}]
    pod = {"status": {"containerStatuses": statuses, "initContainerStatuses": sidecars}}
    assert await eviction.written(Engine(FakeClock()), pod) == {"a": 5, "proxy": 7}
