"""What the driver says when its own disk fails; what it does with a proxy is in tests/contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from minikctl import errors
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.drivers.haproxy import HaproxyContainer
from tests.fakes.clock import FakeClock


async def test_files_that_cannot_be_written_are_a_failure_of_the_driver(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    engine = FakeEngine(FakeClock())
    proxy = HaproxyContainer(engine, str(tmp_path / "file"))
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        proxy.keep({"haproxy.cfg": ""})
    with pytest.raises(errors.DriverError, match="the proxy's files cannot be written"):
        await proxy.load("container", {"haproxy.cfg": ""})
    await engine.close()
