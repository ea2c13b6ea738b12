"""What programming network namespaces must do, held by the simulated driver and by the real agent."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from collections.abc import AsyncIterator

import pytest

from minikctl import errors
from minikctl.drivers import agent, engine, fake_netns
from minikctl.drivers.netns import Netns, NetnsChange
from tests.contract.conftest import Bench

TABLE = """add table inet contract
add map inet contract services {{ type ipv4_addr . inet_proto . inet_service : verdict ; }}
add chain inet contract output {{ type nat hook output priority -100 ; policy accept ; }}
add chain inet contract one
add rule inet contract one reject
add rule inet contract output ip daddr . meta l4proto . th dport vmap @services
add element inet contract services {{ 10.96.0.{} . tcp . 80 : goto one }}
""".format


@dataclasses.dataclass
class Lab:
    """A netns driver under test and its engine; ``agent_id`` is what the driver is told."""

    bench: Bench
    netns: Netns
    agent_id: str | None = None

    async def sandbox(self, name: str = "a") -> engine.Container:
        """Return a running container without any network."""
        made = await self.bench.start(name)
        found = await self.bench.engine.inspect(made)
        assert found is not None
        return found

    async def start_agent(self, name: str = "agent") -> None:
        """Start an agent that the driver finds from now on."""
        self.agent_id = await self.bench.start(
            name,
            cap_add=agent.CAPABILITIES,
            pid_mode="host",
            security_opt=("apparmor=unconfined",),
        )
        if isinstance(self.netns, fake_netns.FakeNetns):
            self.netns.available = True

    async def remove_agent(self) -> None:
        """Take the agent away."""
        assert self.agent_id is not None
        await self.bench.engine.remove(self.agent_id)
        self.agent_id = None
        if isinstance(self.netns, fake_netns.FakeNetns):
            self.netns.available = False

    async def tables(self, sandbox: engine.Container) -> list[str]:
        """Return the nft tables of a namespace."""
        return (await self.netns.read(sandbox.id, sandbox.pid, ["nft", "list", "tables"])).splitlines()


@pytest.fixture
async def lab(bench: Bench) -> AsyncIterator[Lab]:
    """A driver with a running agent."""
    if not bench.real:
        lab = Lab(bench, fake_netns.FakeNetns(bench.engine))
        await lab.start_agent()
        yield lab
        return

    async def find_agent() -> str | None:
        return lab.agent_id

    real = agent.AgentNetns(bench.engine, find_agent)
    lab = Lab(bench, real)
    await lab.start_agent()
    try:
        yield lab
    finally:
        await real.close()


async def test_commands_and_rules_are_applied_in_the_namespace_only(lab: Lab) -> None:
    first, second = await lab.sandbox("a"), await lab.sandbox("b")
    commands = (("ip", "link", "set", "lo", "up"), ("ip", "route", "replace", "10.96.0.0/16", "dev", "lo"))
    assert await lab.netns.apply([NetnsChange(first.id, first.pid, commands, TABLE(1))]) == {}
    assert await lab.tables(first) == ["table inet contract"]
    assert await lab.tables(second) == []
    again = TABLE(1).replace("add rule", "flush chain inet contract one\nadd rule", 1)
    assert await lab.netns.apply([NetnsChange(first.id, first.pid, commands, again)]) == {}


async def test_nothing_to_do_is_done_without_an_agent(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    assert await lab.netns.apply([]) == {}
    assert await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid)]) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("add rule inet contract nowhere accept", "No such file or directory"),
        ("add rule inet nothing output accept", "No such file or directory"),
        ("add rule inet contract output jump nowhere", "No such file or directory"),
        ("add element inet contract services { 10.96.0.9 . tcp . 80 : goto nowhere }", "No such file"),
        ("add element inet contract nothing { 10.96.0.9 . tcp . 80 : goto one }", "No such file"),
        ("add element inet contract services { 10.96.0.1 . tcp . 80 : drop }", "File exists"),
        ("delete element inet contract services { 10.96.0.9 . tcp . 80 }", "No such file or directory"),
        ("delete chain inet contract one", "busy"),
        ("delete table inet nothing", "No such file or directory"),
        ("create table inet contract", "File exists"),
        ("add chain inet contract two {", "syntax error"),
    ],
)
async def test_wrong_rules_are_refused_as_a_whole(lab: Lab, text: str, words: str) -> None:
    sandbox = await lab.sandbox()
    assert await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), TABLE(1))]) == {}
    change = NetnsChange(sandbox.id, sandbox.pid, (), f"add table inet other\n{text}\n")
    failures = await lab.netns.apply([change])
    assert set(failures) == {sandbox.id}
    assert words in failures[sandbox.id]
    assert await lab.tables(sandbox) == ["table inet contract"]


async def test_a_failing_command_keeps_the_rules_away(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    change = NetnsChange(sandbox.id, sandbox.pid, (("/bin/no-such", "x"),), TABLE(1))
    failures = await lab.netns.apply([change])
    assert "not found" in failures[sandbox.id]
    assert await lab.tables(sandbox) == []


async def test_a_namespace_that_is_not_the_containers_is_never_entered(lab: Lab) -> None:
    first, second, gone = await lab.sandbox("a"), await lab.sandbox("b"), await lab.sandbox("c")
    await lab.bench.engine.remove(gone.id)
    changes = [
        NetnsChange(first.id, second.pid, (), TABLE(1)),
        NetnsChange(gone.id, gone.pid, (), TABLE(1)),
        NetnsChange(second.id, second.pid, (), TABLE(1)),
    ]
    failures = await lab.netns.apply(changes)
    assert set(failures) == {first.id, gone.id}
    assert "no longer belongs" in failures[first.id]
    assert (await lab.tables(first), await lab.tables(second)) == ([], ["table inet contract"])
    with pytest.raises(errors.DriverError, match="true"):
        await lab.netns.read(gone.id, gone.pid, ["true"])


async def test_read_returns_the_output_or_fails_in_the_tools_words(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    assert await lab.netns.read(sandbox.id, sandbox.pid, ["echo", "it's", "me"]) == "it's me\n"
    with pytest.raises(errors.DriverError, match="no-such"):
        await lab.netns.read(sandbox.id, sandbox.pid, ["/bin/no-such"])


async def test_many_namespaces_are_changed_in_one_call(lab: Lab) -> None:
    sandboxes = await asyncio.gather(*(lab.sandbox(str(number)) for number in range(7)))
    changes = [NetnsChange(found.id, found.pid, (), TABLE(1)) for found in sandboxes]
    changes[3] = dataclasses.replace(changes[3], ruleset="add rule inet nothing output accept")
    assert set(await lab.netns.apply(changes)) == {sandboxes[3].id}
    assert [len(await lab.tables(found)) for found in sandboxes] == [1, 1, 1, 0, 1, 1, 1]


async def test_large_rules_go_through(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    keys = [f"10.97.{number // 250}.{number % 250 + 1} . tcp . 80 : goto one" for number in range(3000)]
    text = TABLE(1) + f"add element inet contract services {{ {', '.join(keys)} }}\n"
    assert await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), text)]) == {}


async def test_an_agent_that_is_replaced_is_followed(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    change = NetnsChange(sandbox.id, sandbox.pid, (), TABLE(1))
    assert await lab.netns.apply([change]) == {}
    await lab.remove_agent()
    with pytest.raises(errors.DriverError, match="agent"):
        await lab.netns.apply([dataclasses.replace(change, ruleset=TABLE(2))])
    await lab.start_agent("agent-2")
    assert await lab.netns.apply([dataclasses.replace(change, ruleset=TABLE(2))]) == {}


async def test_rules_that_are_deleted_are_heard_of_where_one_listens(lab: Lab) -> None:
    sandbox, other = await lab.sandbox(), await lab.sandbox("b")
    for each in (sandbox, other):
        assert await lab.netns.apply([NetnsChange(each.id, each.pid, (), TABLE(1))]) == {}
    watch = await lab.netns.watch({"output"})
    heard = watch.deleted()
    try:
        await watch.follow({(sandbox.id, sandbox.pid), (other.id, other.pid), ("none", 2**22 - 1)})
        await asyncio.sleep(2 if lab.bench.real else 0)
        await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), "delete table inet contract\n")])
        assert await asyncio.wait_for(anext(heard), 5) == "contract"
        await watch.follow({(sandbox.id, sandbox.pid)})
        await asyncio.sleep(1 if lab.bench.real else 0)
        await lab.netns.apply([NetnsChange(other.id, other.pid, (), "delete table inet contract\n")])
        last = TABLE(1).replace("inet contract", "inet last")
        await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), last)])
        await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), "flush chain inet last one\n")])
        await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), "flush chain inet last output\n")])
        assert await asyncio.wait_for(anext(heard), 5) == "last"
    finally:
        await watch.close()
    if lab.bench.real:
        # Those that go on listening would hold the namespaces of pods that have ended.
        async with asyncio.timeout(5):
            while "nft monitor" in subprocess.check_output(["docker", "top", str(lab.agent_id)], text=True):
                await asyncio.sleep(0.1)
