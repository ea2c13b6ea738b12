"""What the driver says when its own disk fails; what it does with a proxy is in tests/contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.haproxy import HaproxyContainer, Refused
from tests.fakes.clock import FakeClock


class Judging(FakeEngine):
    """Has the proxy's program refuse everything, as it does when it is killed for lack of memory."""

    async def run(self, container_id: str, argv: Sequence[str], timeout_seconds: float) -> tuple[int, bytes]:
        return 137, b"killed"


async def test_a_configuration_in_use_outlives_a_refusal(tmp_path: Path) -> None:
    engine = Judging(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path))
    files = {"haproxy.cfg": "global\n"}
    proxy.keep(files)
    for tried in (files, {"haproxy.cfg": "defaults\n"}):
        with pytest.raises(Refused):
            await proxy.load("container", tried)
    assert proxy.held() == files
    assert len(list(tmp_path.glob("config-*"))) == 1
    await engine.close()


async def test_files_that_cannot_be_written_are_a_failure_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    engine = FakeEngine(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path / "file"))
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        proxy.keep({"haproxy.cfg": ""})
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        await proxy.load("container", {"haproxy.cfg": ""})
    await engine.close()
