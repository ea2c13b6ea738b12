"""A Netns that holds tables as nft would, and whose namespaces a test ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from minikctl import errors
from minikctl.drivers.netns import NetnsChange, Writing
from minikctl.plan import netpol
from tests.packets.tracer import Table


class TableNetns:
    """Fits ``drivers.netns.Netns``; tables are by sandbox, ``batches`` what each call asked for.

    Sandboxes that are ``gone`` and processes that have ``ended`` are refused; calls wait for the ``gate``,
    and for what ``takes`` returns.  ``calm``: nobody has changed any rules.
    """

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self.policies: dict[str, Table] = {}
        self.commands: dict[str, list[tuple[str, ...]]] = {}
        self.batches: list[tuple[NetnsChange, ...]] = []
        self.gone: dict[str, str] = {}
        self.ended: set[int] = set()
        self.gate: asyncio.Event | None = None
        self.available = True
        self.calm = False
        self.takes: Callable[[], Awaitable[None]] | None = None
        self.heard: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()
        self.listeners = 0

    async def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        if not self.available:
            raise errors.DriverError("no agent")
        self.listeners += 1
        while (found := await self.heard.get()) is not None:
            yield found

    async def apply(self, changes: Sequence[NetnsChange]) -> Mapping[str, str]:
        if not self.available:
            raise errors.DriverError("no agent")
        self.batches.append(tuple(changes))
        if self.gate is not None:
            await self.gate.wait()
        if self.takes is not None:
            await self.takes()
        ended = {each.sandbox: f"/proc/{each.pid}/ns/net" for each in changes if each.pid in self.ended}
        refused = self.gone | ended
        for change in changes:
            if change.sandbox not in refused and not (self.calm and change.writing is Writing.IF_DISTURBED):
                self.tables.setdefault(change.sandbox, Table()).apply(change.ruleset)
                policies = self.policies.setdefault(change.sandbox, Table(name=netpol.TABLE))
                policies.apply(change.ruleset)
                self.commands.setdefault(change.sandbox, []).extend(change.commands)
        return {change.sandbox: refused[change.sandbox] for change in changes if change.sandbox in refused}

    async def close(self) -> None:
        pass

    async def read(self, sandbox: str, pid: int, argv: Sequence[str]) -> str:
        raise errors.DriverError(f"{sandbox} {pid} {argv}: nothing to read here")
