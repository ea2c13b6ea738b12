"""Who connects where, and whether a network is this machine's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minikctl.drivers import dialing


class Other:
    """Takes note of what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def open(self, host: str, port: int, **_: Any) -> Any:
        self.asked.append((host, port))


async def test_only_addresses_of_the_network_that_is_elsewhere_go_another_way() -> None:
    ways, other = dialing.Ways(), Other()
    ways.lead("10.201.0.0/20", other)
    await ways.open("10.201.0.7", 80)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        _, writer = await ways.open(host, port)
        writer.close()
    assert other.asked == [("10.201.0.7", 80)]
    ways.lead("127.0.0.0/8", None)
    _, writer = await ways.open("127.0.0.1", port)
    writer.close()
    server.close()


@pytest.mark.parametrize(
    ("bridge", "gateway", "is_here"),
    [("lo", "127.0.0.1", True), ("br-of-another", "127.0.0.1", False), ("lo", "192.0.2.1", False)],
)
def test_a_network_is_here_if_its_bridge_and_its_address_are(
    bridge: str, gateway: str, is_here: bool
) -> None:
    assert dialing.is_here(bridge, gateway) is is_here
