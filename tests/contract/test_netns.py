"""What programming network namespaces must do, held by the simulated driver and by the real agent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
from collections.abc import AsyncIterator

import pytest

from minikctl import errors
from minikctl.drivers import agent, engine, fake_netns
from minikctl.drivers.netns import Netns, NetnsChange, Writing
from tests.contract.conftest import Bench

CROWD = """
import ctypes, os, signal
for _ in range({}):
    if not os.fork():
        ctypes.CDLL(None).unshare(0x40000000)
        break
signal.pause()
"""
"""A program that ends up as so many processes in a network namespace of their own each."""
TABLE = """add table inet contract
add map inet contract services {{ type ipv4_addr . inet_proto . inet_service : verdict ; }}
add chain inet contract output {{ type nat hook output priority -100 ; policy accept ; }}
add chain inet contract one
add rule inet contract one reject
add rule inet contract output ip daddr . meta l4proto . th dport vmap @services
add element inet contract services {{ 10.96.0.{} . tcp . 80 : goto one }}
""".format


LISTING = ["nft", "-nn", "list", "ruleset"]


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

    async def crowd(self, size: int) -> list[tuple[str, int]]:
        """Return names and processes of so many namespaces; a real container has them all, by parts of its id."""
        if not self.bench.real:
            made = await asyncio.gather(*(self.sandbox(f"crowd-{number}") for number in range(size)))
            return [(each.id, each.pid) for each in made]
        program = ("python3", "-I", "-S", "-c", CROWD.format(size))
        owner = await self.bench.engine.inspect(
            await self.bench.start("crowd", *program, cap_add=agent.CAPABILITIES)
        )
        assert owner is not None
        async with asyncio.timeout(60):
            while len(found := _apart(owner.pid)) < size:
                await asyncio.sleep(0.05)
        names = [owner.id[start:end] for start in range(16) for end in range(start + 30, 65)]
        return list(zip(names, found, strict=False))

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

    async def disturb(self, sandbox: engine.Container, command: str) -> None:
        """Have somebody else change a namespace's rules."""
        if self.bench.real:
            argv = ["nsenter", f"--net=/proc/{sandbox.pid}/ns/net", "nft", command]
            await asyncio.to_thread(subprocess.run, argv, check=True)
            return
        assert isinstance(self.netns, fake_netns.FakeNetns)
        await self.netns.disturb(sandbox.id, command)

    async def reroute(self, sandbox: engine.Container, command: str) -> None:
        """Have somebody else change a namespace's routes."""
        if self.bench.real:
            argv = ["nsenter", f"--net=/proc/{sandbox.pid}/ns/net", "ip", "route", *command.split()]
            await asyncio.to_thread(subprocess.run, argv, check=True)
            return
        assert isinstance(self.netns, fake_netns.FakeNetns)
        self.netns.reroute(sandbox.id, command)

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


async def test_hundreds_of_namespaces_are_changed_and_looked_at_again(lab: Lab) -> None:
    crowd = await lab.crowd(400)
    for number in (1, 2):
        changes = [NetnsChange(name, pid, (("true",),), TABLE(number)) for name, pid in crowd]
        assert await lab.netns.apply(changes) == {}
    name, pid = crowd[-1]
    assert (await lab.netns.read(name, pid, ["nft", "list", "tables"])).splitlines() == [
        "table inet contract"
    ]


DELTA = """add chain inet contract two
flush chain inet contract two
add rule inet contract two meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.1.0.1, 1 : 10.1.0.2 }
add rule inet contract two ip saddr != { 10.1.0.0/16, 10.2.0.9 } limit rate 5/second burst 5 packets counter drop
add set inet contract clients { type ipv4_addr ; flags dynamic,timeout ; timeout 30s ; }
add rule inet contract one update @clients { ip saddr timeout 30s }
add element inet contract services { 10.96.0.2 . tcp . 80 : goto two, 10.96.0.3 . udp . 53 : drop }
delete element inet contract services { 10.96.0.1 . tcp . 80 }
"""


async def test_a_change_that_many_namespaces_need_is_the_same_in_all(lab: Lab) -> None:
    sandboxes = await asyncio.gather(*(lab.sandbox(str(number)) for number in range(4)))
    first = [NetnsChange(found.id, found.pid, (), TABLE(1)) for found in sandboxes[:3]]
    assert await lab.netns.apply(first) == {}
    told = asyncio.ensure_future(anext(aiter(lab.netns.disturbed())))
    changes = [NetnsChange(found.id, found.pid, (), DELTA) for found in sandboxes]
    failures = await lab.netns.apply(changes)
    assert set(failures) == {sandboxes[3].id}
    assert "No such file or directory" in failures[sandboxes[3].id]
    if lab.bench.real:
        listed = [await lab.netns.read(each.id, each.pid, LISTING) for each in sandboxes]
        assert "dnat ip to numgen random mod 2" in listed[0]
        assert "10.96.0.2 . 6 . 80 : goto two" in listed[0]
        assert listed == [listed[0]] * 3 + [""]
    assert not told.done()
    await lab.disturb(sandboxes[2], "flush chain inet contract one")
    assert await asyncio.wait_for(told, 20) == (sandboxes[2].id, "contract")


async def test_rules_do_not_wait_for_the_commands_of_others(lab: Lab) -> None:
    slow, quick = await lab.sandbox(), await lab.sandbox("b")
    waiting = ("sh", "-c", "until [ -e /tmp/go ]; do sleep 0.05; done")
    changes = [NetnsChange(slow.id, slow.pid, (waiting,), TABLE(1))]
    changes.append(NetnsChange(quick.id, quick.pid, (), TABLE(1)))
    made = asyncio.ensure_future(lab.netns.apply(changes))
    async with asyncio.timeout(30):
        while not await lab.tables(quick):
            await asyncio.sleep(0.05)
    if lab.bench.real:
        assert not made.done()
        assert await lab.tables(slow) == []
        assert await lab.bench.engine.run(str(lab.agent_id), ["touch", "/tmp/go"], 20) == (0, b"")
    assert await made == {}
    assert await lab.tables(slow) == ["table inet contract"]


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


async def test_what_others_change_is_heard_and_what_we_change_is_not(lab: Lab) -> None:
    sandbox, other = await lab.sandbox(), await lab.sandbox("b")
    for each in (sandbox, other):
        assert await lab.netns.apply([NetnsChange(each.id, each.pid, (), TABLE(1))]) == {}
    heard = lab.netns.disturbed()
    told: asyncio.Future[tuple[str, str]] = asyncio.ensure_future(anext(aiter(heard)))
    refused = NetnsChange(sandbox.id, sandbox.pid, (), "flush ruleset\ndelete table inet none\n")
    assert set(await lab.netns.apply([refused])) == {sandbox.id}
    for text in ("flush chain inet contract output\n", "delete table inet contract\n", TABLE(2)):
        assert await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), text)]) == {}
    await asyncio.sleep(0.2 if lab.bench.real else 0)
    assert not told.done()
    await lab.disturb(other, "delete element inet contract services { 10.96.0.1 . tcp . 80 }")
    assert await asyncio.wait_for(told, 20) == (other.id, "contract")
    for text, tables in (
        ("flush chain inet contract one", ["contract"]),
        ("add table inet strange", ["strange"]),
        ("flush ruleset", ["contract", "strange"]),
    ):
        await lab.disturb(sandbox, text)
        found = [await asyncio.wait_for(anext(heard), 20) for _ in tables]
        assert sorted(found) == [(sandbox.id, table) for table in tables]


@pytest.mark.parametrize("bench", [pytest.param("docker", marks=pytest.mark.e2e)], indirect=True)
async def test_rules_are_written_again_only_where_others_may_have_changed_them(lab: Lab) -> None:
    """The simulated driver writes them always."""
    sandbox = await lab.sandbox()

    async def tables_after(text: str, writing: Writing) -> list[str]:
        assert await lab.netns.apply([NetnsChange(sandbox.id, sandbox.pid, (), text, writing)]) == {}
        return [each.split()[-1] for each in await lab.tables(sandbox)]

    assert await tables_after(TABLE(1), Writing.PART) == ["contract"]
    assert await tables_after("add table inet one\n", Writing.IF_DISTURBED) == ["contract", "one"], (
        "not known"
    )
    assert await tables_after("add table inet two\n", Writing.IF_DISTURBED) == ["contract", "one"]
    assert await tables_after("add table inet three\n", Writing.PART) == ["contract", "one", "three"]
    assert await tables_after("add table inet four\n", Writing.IF_DISTURBED) == ["contract", "one", "three"]
    heard = lab.netns.disturbed()
    await lab.disturb(sandbox, "delete table inet three")
    assert await asyncio.wait_for(anext(heard), 20) == (sandbox.id, "three")
    assert await tables_after("add table inet five\n", Writing.IF_DISTURBED) == ["contract", "one", "five"]
    assert await tables_after("add table inet six\n", Writing.IF_DISTURBED) == ["contract", "one", "five"]
    assert await tables_after("add table inet seven\n", Writing.WHOLE) == ["contract", "one", "five", "seven"]
    assert await tables_after("add table inet six\n", Writing.IF_DISTURBED) == [
        "contract",
        "one",
        "five",
        "seven",
    ]


async def test_routes_that_others_take_away_are_heard_of_and_those_that_we_change_are_not(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    route = ("ip", "route", "replace", "10.96.0.0/16", "dev", "lo")
    commands = (("ip", "link", "set", "lo", "up"), route, ("ip", "route", "del", "10.96.0.0/16"), route)
    change = NetnsChange(sandbox.id, sandbox.pid, commands, TABLE(1))
    assert await lab.netns.apply([change]) == {}
    heard = lab.netns.disturbed()
    told: asyncio.Future[tuple[str, str]] = asyncio.ensure_future(anext(aiter(heard)))
    assert await lab.netns.apply([dataclasses.replace(change, ruleset="")]) == {}
    await asyncio.sleep(0.2 if lab.bench.real else 0)
    assert not told.done()
    await lab.reroute(sandbox, "add 10.97.0.0/16 dev lo")
    await lab.reroute(sandbox, "replace 10.97.0.0/16 dev lo scope host")
    assert await asyncio.wait_for(told, 20) == (sandbox.id, "")
    await lab.reroute(sandbox, "del 10.96.0.0/16")
    assert await asyncio.wait_for(anext(heard), 20) == (sandbox.id, "")


async def test_a_namespace_that_ended_is_let_go(lab: Lab) -> None:
    sandbox, other = await lab.sandbox(), await lab.sandbox("b")
    for each in (sandbox, other):
        assert await lab.netns.apply([NetnsChange(each.id, each.pid, (), TABLE(1))]) == {}
    if not lab.bench.real:
        return
    inode = os.stat(f"/proc/{sandbox.pid}/ns/net").st_ino
    program = _program(str(lab.agent_id))
    assert inode in _held(program)
    await lab.bench.engine.remove(sandbox.id)
    async with asyncio.timeout(20):
        while inode in _held(program):
            await asyncio.sleep(0.05)
    assert os.stat(f"/proc/{other.pid}/ns/net").st_ino in _held(program)


def _apart(pid: int) -> list[int]:
    """Return the children of a process that are in another network namespace than it is."""
    home = os.stat(f"/proc/{pid}/ns/net").st_ino
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as source:
        children = [int(each) for each in source.read().split()]
    return [each for each in children if os.stat(f"/proc/{each}/ns/net").st_ino != home]


def _program(agent_id: str) -> int:
    """Return the process that writes rules in the agent."""
    shown = subprocess.check_output(["docker", "top", agent_id, "-o", "pid,args"], text=True)
    (found,) = [line.split()[0] for line in shown.splitlines() if "mk-rules-" in line]
    return int(found)


def _held(pid: int) -> set[int]:
    """Return the inodes of the files that a process has open."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.add(os.stat(f"/proc/{pid}/fd/{name}").st_ino)
    return found


async def test_a_program_that_dies_is_started_anew_and_that_shows(lab: Lab) -> None:
    sandbox = await lab.sandbox()
    change = NetnsChange(sandbox.id, sandbox.pid, (), TABLE(1))
    assert await lab.netns.apply([change]) == {}
    listening = asyncio.ensure_future(_all(lab.netns.disturbed()))
    await asyncio.sleep(0)
    if lab.bench.real:
        os.kill(_program(str(lab.agent_id)), signal.SIGKILL)
    else:
        assert isinstance(lab.netns, fake_netns.FakeNetns)
        lab.netns.heard.put_nowait(None)
    assert await lab.netns.apply([dataclasses.replace(change, ruleset=TABLE(2))]) == {}
    assert await asyncio.wait_for(listening, 20) == []


async def _all(heard: AsyncIterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return [each async for each in heard]
