"""Sandboxes attached by plugins: what users of the engine see, whatever plugins do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from minikctl import errors
from minikctl.drivers import cni, cni_calls, cni_records
from minikctl.drivers.fake_engine import FakeEngine
from minikctl.model.containers import Container, ContainerSpec, PortBinding
from minikctl.network import cni_nodes
from minikctl.network.cni_engine import NODE, CniEngine
from minikctl.plan.cni import conflist, protocol, ranges
from tests.fakes.clock import FakeClock

CONFIG = json.dumps(
    {
        "cniVersion": "1.1.0",
        "name": "net",
        "plugins": [
            {"type": "first", "capabilities": {"ipRanges": True, "portMappings": True}},
            {"type": "second"},
        ],
    }
)
LABELS = {"minikctl.dev/cluster": "t", "minikctl.dev/role": "pause"}
POD = {
    **LABELS,
    "minikctl.dev/pod-namespace": "shop",
    "minikctl.dev/pod-name": "web-0",
    "minikctl.dev/pod-uid": "u1",
}


class FakePlugins:
    """Plugins that lend addresses, keep a record of calls, and refuse what they are told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any], str]] = []
        self.refuse: set[tuple[str, str]] = set()
        self.crash: set[tuple[str, str]] = set()
        self.prepared: list[tuple[str, tuple[str, ...]]] = []
        self.states: set[str] = set()

    async def call(
        self, place: cni.Place, plugin: str, parameters: Mapping[str, str], stdin: str
    ) -> protocol.Answer:
        self.states.add(place.state)
        command = parameters["CNI_COMMAND"]
        config = json.loads(stdin)
        self.calls.append((command, plugin, config, parameters.get("CNI_NETNS", "")))
        if (command, plugin) in self.refuse:
            return protocol.Answer(1, '{"code": 11, "msg": "not now"}')
        if (command, plugin) in self.crash:
            return protocol.Answer(2, "", "panic: runtime error: invalid memory address")
        if command == "VERSION":
            return protocol.Answer(0, '{"supportedVersions": ["1.0.0", "1.1.0"]}')
        if command != "ADD":
            return protocol.Answer(0, "")
        result = config.get("prevResult") or {
            "interfaces": [{"name": "eth0", "sandbox": "/n"}],
            "ips": [{"interface": 0, "address": "10.201.1.2/24"}],
        }
        return protocol.Answer(0, json.dumps({**result, "by": plugin}))

    async def prepare(self, place: cni.Place, commands: list[tuple[str, ...]]) -> None:
        self.prepared += [(place.container_id, command) for command in commands]

    def commands(self) -> list[tuple[str, str]]:
        return [(command, plugin) for command, plugin, _, _ in self.calls]


class Bench:
    """An engine with plugins, and what is behind it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.bare = FakeEngine(self.clock)
        self.plugins = FakePlugins()
        self.agent: str | None = "agent"
        self.restart()

    def restart(self) -> None:
        """Have a new control plane over the same engine and state."""
        layout = cni_nodes.Layout(
            cluster="t",
            engine_network="minikctl-t",
            service_cidr="10.96.0.0/16",
            image="minikctl-infra:latest",
            nodes=("n1", "n2"),
            ranges=ranges.split("10.201.0.0/20", 2),
            config=CONFIG,
        )

        async def find() -> str | None:
            return self.agent

        self.nodes = cni_nodes.NodeContainers(self.bare, self.plugins, find, self.clock, layout)
        self.records = cni_records.Records(str(self.directory))
        self.engine = CniEngine(self.bare, self.plugins, self.nodes, self.records)

    async def sandbox(self, ports: tuple[PortBinding, ...] = ()) -> str:
        made = await self.engine.create(
            ContainerSpec("pod", "minikctl-infra:latest", POD, network="cni:n1", ports=ports)
        )
        await self.engine.start(made)
        return made

    async def seen(self, container_id: str) -> Container:
        found = await self.engine.inspect(container_id)
        assert found is not None
        return found


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.bare.create_network("minikctl-t", "10.201.0.0/20", LABELS)
    await made.nodes.ensure()
    yield made
    await made.bare.close()


async def test_a_sandbox_that_has_started_has_the_address_that_plugins_gave(bench: Bench) -> None:
    made = await bench.sandbox((PortBinding(80, "tcp", "", 8080),))
    found = await bench.seen(made)
    assert (found.ip, found.status, found.labels[NODE]) == ("10.201.1.2", "running", "n1")
    assert [each.ip for each in await bench.engine.list(POD)] == ["10.201.1.2"]
    (_, _, first, netns), (_, _, second, _) = bench.plugins.calls
    assert netns == f"/proc/{found.pid}/ns/net"
    assert first["runtimeConfig"]["ipRanges"] == [[{"subnet": "10.201.1.0/24"}]]
    assert first["runtimeConfig"]["portMappings"][0]["hostPort"] == 8080
    assert "runtimeConfig" not in second
    assert second["prevResult"]["by"] == "first"
    assert bench.plugins.states == {"nodes/n1"}
    *_, last = bench.plugins.prepared
    assert last == (made, ("arping", "-q", "-U", "-c", "1", "-I", "eth0", "10.201.1.2"))


async def test_a_refusal_undoes_what_was_done_and_is_told(bench: Bench) -> None:
    bench.plugins.refuse = {("ADD", "second")}
    with pytest.raises(
        errors.DriverError, match=r'failed to setup network for sandbox ".*": plugin type="second"'
    ):
        await bench.sandbox()
    assert bench.plugins.commands()[2:] == [("DEL", "second"), ("DEL", "first")]
    assert not bench.records.all()


async def test_del_gets_the_result_also_after_a_crash(bench: Bench) -> None:
    made = await bench.sandbox()
    bench.restart()
    await bench.nodes.ensure()
    assert (await bench.seen(made)).ip == "10.201.1.2"
    bench.plugins.calls.clear()
    await bench.engine.remove(made)
    assert bench.plugins.commands() == [("DEL", "second"), ("DEL", "first")]
    assert all(config["prevResult"]["by"] == "second" for _, _, config, _ in bench.plugins.calls)
    assert await bench.bare.inspect(made) is None
    assert not list(bench.directory.glob("*.json"))


async def test_del_is_asked_for_until_it_succeeds(bench: Bench) -> None:
    made = await bench.sandbox()
    bench.plugins.refuse = {("DEL", "first")}
    with pytest.raises(errors.DriverError, match="failed to destroy network for sandbox"):
        await bench.engine.remove(made)
    assert await bench.bare.inspect(made) is not None
    bench.plugins.refuse = set()
    await bench.engine.remove(made)
    assert await bench.bare.inspect(made) is None


async def test_a_sandbox_that_vanished_is_detached_without_its_namespace(bench: Bench) -> None:
    made = await bench.sandbox()
    await bench.bare.remove(made)
    bench.plugins.calls.clear()
    bench.plugins.refuse = {("DEL", "first")}
    await bench.engine.collect()
    assert bench.engine.attached() == [made]
    bench.plugins.refuse = set()
    await bench.engine.collect()
    assert bench.engine.attached() == []
    assert {netns for _, _, _, netns in bench.plugins.calls} == {""}


async def test_a_sandbox_whose_attachment_a_crash_cut_off_is_shown_as_ended(bench: Bench) -> None:
    made = await bench.sandbox()
    bench.records.drop(made)
    assert (await bench.seen(made)).status == "exited"


async def test_a_node_that_is_made_anew_ends_its_sandboxes(bench: Bench) -> None:
    made = await bench.sandbox()
    for node in await bench.bare.list({"minikctl.dev/node": "n1"}):
        await bench.bare.remove(node.id)
    assert await bench.nodes.ensure() == ["n1"]
    assert (await bench.seen(made)).status == "exited"
    await bench.engine.reset("n1")
    found = await bench.bare.inspect(made)
    assert found is not None
    assert found.status == "exited"


async def test_a_failed_check_ends_the_sandbox(bench: Bench) -> None:
    made = await bench.sandbox()
    await bench.engine.check()
    assert (await bench.seen(made)).status == "running"
    bench.plugins.refuse = {("CHECK", "first")}
    await bench.engine.check()
    assert (await bench.seen(made)).status == "exited"


async def test_a_plugin_that_crashes_when_it_checks_ends_nothing(bench: Bench) -> None:
    made = await bench.sandbox()
    bench.plugins.crash = {("CHECK", "first")}
    await bench.engine.check()
    assert (await bench.seen(made)).status == "running"


async def test_what_joins_another_network_is_left_to_the_engine(bench: Bench) -> None:
    made = await bench.engine.create(
        ContainerSpec("other", "minikctl-infra:latest", LABELS, network="minikctl-t")
    )
    await bench.engine.start(made)
    assert (await bench.seen(made)).ip.startswith("10.201.0.")
    assert bench.plugins.calls == []
    await bench.engine.remove(made)


async def test_garbage_status_and_versions(bench: Bench) -> None:
    made = await bench.sandbox()
    bench.plugins.calls.clear()
    calls = cni_calls.Calls(bench.plugins, await bench.nodes.ready("n1"), bench.nodes.network)
    await calls.versions()
    await calls.status()
    await calls.collect(bench.engine.attached())
    assert [command for command, _ in bench.plugins.commands()] == ["VERSION"] * 2 + ["STATUS"] * 2 + [
        "GC"
    ] * 2
    assert bench.plugins.calls[-1][2]["cni.dev/valid-attachments"] == [
        {"containerID": made, "ifname": "eth0"}
    ]
    old = conflist.parse(CONFIG.replace("1.1.0", "0.3.1"), "")
    with pytest.raises(protocol.PluginError, match=r"does not support cniVersion 0\.3\.1"):
        await cni_calls.Calls(bench.plugins, calls.place, old).versions()
    bench.plugins.calls.clear()
    await cni_calls.Calls(bench.plugins, calls.place, old).status()
    assert bench.plugins.calls == []
