"""Network namespaces in memory: a record of commands and rules that refuses what nft would refuse."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from minikctl import errors
from minikctl.drivers import engine as engines
from minikctl.drivers import fake_nft
from minikctl.drivers.netns import NetnsChange


class FakeWatch:
    """Hears what ``heard`` is given; ``places`` is where it listens, ``chains`` what for."""

    def __init__(self, chains: Collection[str] = ()) -> None:
        self.chains = frozenset(chains)
        self.places: set[tuple[str, int]] = set()
        self.heard: asyncio.Queue[str | None] = asyncio.Queue()

    async def follow(self, places: Collection[tuple[str, int]]) -> None:
        """Listen in these namespaces and no others."""
        self.places = set(places)

    async def deleted(self) -> AsyncIterator[str]:
        """Yield what is put into ``heard``, until that is None."""
        while (table := await self.heard.get()) is not None:
            yield table

    def hear(self, words: Sequence[str]) -> None:
        """Take a line of a transaction; each table that is deleted or flushed counts as one with rules."""
        match words:
            case ["delete" | "flush", "table", _, table]:
                self.heard.put_nowait(table)
            case ["flush", "chain", _, table, chain] if chain in self.chains:
                self.heard.put_nowait(table)

    async def close(self) -> None:
        """Listen nowhere."""
        self.places = set()


class FakeNetns:
    """Namespaces of the containers of a simulated engine; without one, every namespace exists.

    ``commands`` and ``rules`` are by sandbox; ``available`` False makes every call fail, as without an agent.
    A command that has ``no-such`` in it fails.  ``checking`` False takes everything unread: what a
    simulated cluster of thousands of pods writes is nobody's test.
    """

    def __init__(self, engine: engines.Engine | None = None, *, checking: bool = True) -> None:
        self._engine = engine
        self._checking = checking
        self.available = True
        self.watches: list[FakeWatch] = []
        self.commands: dict[str, list[tuple[str, ...]]] = {}
        self.rules: dict[str, fake_nft.Rules] = {}

    async def watch(self, chains: Collection[str]) -> FakeWatch:
        """Return what hears of deleted rules; ``DriverError`` without agent."""
        self._check_agent()
        self.watches.append(FakeWatch(chains))
        return self.watches[-1]

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
        for watch in self.watches:
            if (change.sandbox, change.pid) in watch.places:
                for line in change.ruleset.splitlines():
                    watch.hear(line.split())

    async def _enter(self, sandbox: str, pid: int) -> None:
        if self._engine is None:
            return
        found = await self._engine.inspect(sandbox)
        if found is None or not found.pid or found.pid != pid:
            self.commands.pop(sandbox, None)
            self.rules.pop(sandbox, None)
            raise fake_nft.Refused(f"process {pid} no longer belongs to container {sandbox}")

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
