"""A Netns that holds tables as nft would, and whose namespaces a test ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from minikctl import errors
from minikctl.drivers.fake_netns import FakeWatch
from minikctl.drivers.netns import NetnsChange
from minikctl.plan import netpol
from tests.packets.tracer import Table


class TableNetns:
    """Fits ``drivers.netns.Netns``; tables are by sandbox, ``batches`` what each call asked for."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.policies: dict[str, Table] = {}
        self.commands: dict[str, list[tuple[str, ...]]] = {}
        self.batches: list[tuple[NetnsChange, ...]] = []
        self.gone: dict[str, str] = {}
        self.available = True
        self.watches: list[FakeWatch] = []

    async def watch(self, chains: Collection[str]) -> FakeWatch:
        if not self.available:
            raise errors.DriverError("no agent")
        self.watches.append(FakeWatch(chains))
        return self.watches[-1]

    async def apply(self, changes: Sequence[NetnsChange]) -> Mapping[str, str]:
        if not self.available:
            raise errors.DriverError("no agent")
        self.batches.append(tuple(changes))
        for change in changes:
            if change.sandbox not in self.gone:
                self.tables.setdefault(change.sandbox, Table()).apply(change.ruleset)
                policies = self.policies.setdefault(change.sandbox, Table(name=netpol.TABLE))
                policies.apply(change.ruleset)
                self.commands.setdefault(change.sandbox, []).extend(change.commands)
        missed = {change.sandbox: "no such table" for change in changes if self._misses(change)}
        gone = {
            change.sandbox: self.gone[change.sandbox] for change in changes if change.sandbox in self.gone
        }
        return missed | gone

    def _misses(self, change: NetnsChange) -> bool:
        """Tell whether a command looks for more rules in chains than are there."""
        looks = [command[4:] for command in change.commands if "look" in command]
        return any(self._lacks(change.sandbox, *look) for look in looks)

    def _lacks(self, sandbox: str, table: str, wanted: str, *names: str) -> bool:
        tables = self.policies if table == netpol.TABLE else self.tables
        chains = tables.get(sandbox, Table()).chains
        return sum(len(chains.get(name, ())) for name in names) < int(wanted)

    async def read(self, sandbox: str, pid: int, argv: Sequence[str]) -> str:
        raise errors.DriverError(f"{sandbox} {pid} {argv}: nothing to read here")
