"""Network namespaces in memory: a record of commands and rules that refuses what nft would refuse."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers import fake_nft
from minikctl.drivers.netns import NetnsChange


class FakeNetns:
    """Namespaces of the containers of a simulated engine; without one, every namespace exists.

    ``commands`` and ``rules`` are by sandbox; ``available`` False makes every call fail, as without an agent.
    A command that has ``no-such`` in it fails.  ``checking`` False takes everything unread: what a
    simulated cluster of thousands of pods writes is nobody's test.  What is for disturbed rules only is
    written always: nothing is heard of what a test does to ``rules`` itself.
    """

    def __init__(self, engine: engines.Engine | None = None, *, checking: bool = True) -> None:
        self._engine = engine
        self._checking = checking
        self.available = True
        self.heard: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        self.commands: dict[str, list[tuple[str, ...]]] = {}
        self.rules: dict[str, fake_nft.Rules] = {}

    async def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        """Yield what is put into ``heard``, until that is None; ``DriverError`` without agent."""
        self._check_agent()
        while (found := await self.heard.get()) is not None:
            yield found

    async def disturb(self, sandbox: str, command: str) -> None:
        """Change a namespace's rules as others would; each table that the command is about is heard of."""
        rules = self.rules.setdefault(sandbox, fake_nft.Rules())
        before = set(rules.tables)
        rules.apply(f"{command}\n")
        touched = before if command == "flush ruleset" else {command.split()[3]}
        for table in sorted(each.rpartition(" ")[2] for each in touched):
            self.heard.put_nowait((sandbox, table))

    def reroute(self, sandbox: str, command: str) -> None:
        """Change a namespace's routes as others would; one that is added takes none away."""
        if command.split()[0] != "add":
            self.heard.put_nowait((sandbox, ""))

    async def apply(self, changes: Sequence[NetnsChange]) -> Mapping[str, str]:
        """Apply all; return what failed as {sandbox: words of the tool}; ``DriverError`` without agent."""
        self._check_agent()
        failures: dict[str, str] = {}
        if not self._checking:
            return failures
        for change in changes:
            try:
                await self._change(change)
            except fake_nft.Refused as refusal:
                failures.setdefault(change.sandbox, str(refusal))
        return failures

    def _check_agent(self) -> None:
        if not self.available:
            raise errors.DriverError("the network agent does not run")

    async def _change(self, change: NetnsChange) -> None:
        await self._enter(change.sandbox, change.pid)
        done = self.commands.setdefault(change.sandbox, [])
        for command in change.commands:
            _check_command(command)
            done.append(command)
        self.rules.setdefault(change.sandbox, fake_nft.Rules()).apply(change.ruleset)

    async def _enter(self, sandbox: str, pid: int) -> None:
        if self._engine is None:
            return
        found = await self._engine.inspect(sandbox)
        if found is None or not found.pid or found.pid != pid:
            self.commands.pop(sandbox, None)
            self.rules.pop(sandbox, None)
            raise fake_nft.Refused(f"process {pid} no longer belongs to container {sandbox}")

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def read(self, sandbox: str, pid: int, argv: Sequence[str]) -> str:
        """Return the output of a command run in that namespace; ``DriverError`` when it fails."""
        self._check_agent()
        try:
            await self._enter(sandbox, pid)
            _check_command(argv)
        except fake_nft.Refused as refusal:
            raise errors.DriverError(f"{shlex.join(argv)}: {refusal}", str(refusal)) from refusal
        if argv[0] == "echo":
            return " ".join(argv[1:]) + "\n"
        return "".join(f"table {key}\n" for key in self.rules.get(sandbox, fake_nft.Rules()).tables)


def _check_command(argv: Sequence[str]) -> None:
    if any("no-such" in word for word in argv):
        raise fake_nft.Refused(f"{argv[0]}: not found")
