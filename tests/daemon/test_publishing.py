"""Which ports an engine can publish is found out by a container, of which nothing is left."""

from __future__ import annotations

import pytest

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.daemon import publishing
from minikctl.drivers.fake_engine import FakeEngine
from tests.fakes.clock import FakeClock

SETTINGS = ClusterSettings("lab")


class Answering(FakeEngine):
    """Says this of each container that is to be started."""

    said: errors.DriverError | None = None

    async def start(self, container_id: str) -> None:
        if self.said is not None:
            raise self.said
        await super().start(container_id)


@pytest.mark.parametrize(
    ("said", "lowest"),
    [
        (None, 0),
        (errors.PrivilegedPort("it may not", "", 1024), 1024),
        (errors.PortTaken("somebody has it"), 0),
    ],
)
async def test_the_lowest_port_is_what_the_engine_says(said: errors.DriverError | None, lowest: int) -> None:
    engine = Answering(FakeClock())
    await engine.create_network("minikctl-lab", "10.1.0.0/20", {})
    await engine.load_filesystem("", "infra", [])
    engine.said = said
    assert await publishing.lowest_port(engine, SETTINGS, "infra") == lowest
    assert await engine.list({}) == []
