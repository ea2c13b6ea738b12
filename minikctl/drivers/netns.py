"""Programming network namespaces from inside the agent container: what can be asked for.

``drivers.agent`` is the real one (nft, ip and conntrack in the agent), ``drivers.fake_netns`` keeps a record
that refuses what nft would refuse.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Writing(enum.IntEnum):
    """What a change's rules are to those that are there."""

    PART = 0
    """They add to them, or take from them."""
    WHOLE = 1
    """They are all that is to be there."""
    IF_DISTURBED = 2
    """They are, too, but not written where others cannot have changed anything since they were.

    That is where every transaction since was heard and is ours, and the kernel counts no further one.
    """


@dataclass(frozen=True)
class NetnsChange:
    """What one network namespace gets.

    ``sandbox`` is the id of the container that owns the namespace and ``pid`` its process: the namespace is
    entered only if that pid still belongs to that container.  ``commands`` (argv each, such as
    ``("ip", "route", "replace", …)``) run first, in order; a failing one ends the change.  ``ruleset`` is
    nft text, applied in one transaction; "" leaves rules alone.
    """

    sandbox: str
    pid: int
    commands: tuple[tuple[str, ...], ...] = ()
    ruleset: str = ""
    writing: Writing = Writing.PART


class Netns(Protocol):
    """Applies changes; many namespaces in one call."""

    async def apply(self, changes: Sequence[NetnsChange]) -> Mapping[str, str]:
        """Apply all; return what failed as {sandbox: words of the tool}; ``DriverError`` without agent."""
        ...

    async def read(self, sandbox: str, pid: int, argv: Sequence[str]) -> str:
        """Return the output of a command run in that namespace; ``DriverError`` when it fails."""
        ...

    def disturbed(self) -> AsyncIterator[tuple[str, str]]:
        """Yield (container id, table) of each change by others where rules were applied.

        The table is "" where more happened than could be heard.  It ends, or raises ``DriverError``, when
        nothing can be heard any more: what happens from then on is not known.
        """
        ...

    async def close(self) -> None:
        """Let go of the agent; the next call begins anew."""
        ...
