"""The name server's configuration follows the ConfigMap that CoreDNS users know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from minikctl.client.home import ClusterHome
from minikctl.model import kinds
from minikctl.network.dns_config import DnsConfig
from tests.network.bench import SETTINGS, Surroundings

COREFILE = ".:53 {{\n forward . 192.0.2.53\n {}\n}}\ncorp.example {{\n forward . 192.0.2.9\n}}\n"


class World(Surroundings):
    """Surroundings with a state directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.home = ClusterHome("test", str(directory))
        self.config = DnsConfig(self.client, self.home, SETTINGS)

    def say(self, corefile: str, name: str = "coredns", key: str = "Corefile") -> None:
        meta = {"name": name, "namespace": "kube-system"}
        self.client.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {key: corefile}})

    async def pause(self) -> None:
        """Let everything happen that follows: all of the system's objects are looked at."""
        for _ in range(4):
            await self.turn(1)

    @property
    def text(self) -> str:
        return Path(self.home.file("dns", "named.conf")).read_text()

    @property
    def version(self) -> str:
        found = self.client.find(kinds.DEPLOYMENT, "kube-system", "dns")
        assert found is not None
        notes: Any = found["spec"]["template"]["metadata"]["annotations"]
        return str(notes["minikctl.dev/configuration"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_new_cluster_has_a_corefile_to_change(world: World) -> None:
    await world.config.install()
    found = world.client.find(kinds.CONFIG_MAP, "kube-system", "coredns")
    assert found is not None
    assert "forward . /etc/resolv.conf" in found["data"]["Corefile"]


async def test_a_changed_corefile_means_new_servers_and_stays_after_a_restart(world: World) -> None:
    await world.config.install()
    first = world.version
    async with world.running(world.config.follow(world.tools)):
        world.say(COREFILE.format("log"))
        await world.pause()
        assert "forwarders { 192.0.2.53; };" in world.text
        assert 'zone "corp.example" { type forward; forward only; forwarders { 192.0.2.9; }; };' in world.text
        assert "querylog yes;" in world.text
        assert world.version != first
        world.say("lab.example {\n forward . 192.0.2.3\n}", "coredns-custom", "lab.server")
        await world.pause()
        assert 'zone "lab.example"' in world.text
    again = world.version
    await DnsConfig(world.client, world.home, SETTINGS).install()
    assert world.version == again


async def test_what_is_not_done_and_what_cannot_be_read_is_told(world: World) -> None:
    await world.config.install()
    async with world.running(world.config.follow(world.tools)):
        world.say(COREFILE.format("rewrite name regex a b"))
        await world.pause()
        assert world.events.reasons("coredns") == ["NotEnforced"]
        before = world.text
        world.say(". {")
        await world.pause()
        assert world.events.reasons("coredns") == ["NotEnforced", "InvalidCorefile"]
        assert world.text == before


async def test_an_unreadable_corefile_does_not_keep_the_cluster_from_starting(world: World) -> None:
    world.say(". {")
    await world.config.install()
    assert "corp.example" not in world.text
