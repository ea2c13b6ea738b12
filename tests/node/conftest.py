"""A node on the simulated engine, with a clock that the test turns."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from minikctl.drivers.fake_engine import FakeEngine
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock
from tests.node.harness import Bench, ScriptedProber, node_info


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = FakeClock()
    engine = FakeEngine(clock)
    await engine.create_network("minikctl-test", "10.201.0.0/24", {})
    made = Bench(engine, FakeClient(now=clock.now), clock, node_info("test", tmp_path), ScriptedProber(clock))
    yield made
    await engine.close()
