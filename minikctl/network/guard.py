"""Rules that somebody deletes in a pod's network namespace are put back at once, not with the next round."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from minikctl import errors
from minikctl.drivers.netns import Netns, Watch
from minikctl.network.sync import RuleSync
from minikctl.plan import netpol, proxy
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How long a new namespace may go without being listened to."""
GATHER_SECONDS = 0.2
TABLES = frozenset({proxy.TABLE, netpol.TABLE})
CHAINS = frozenset(
    {
        *("nat-output", "nat-output-again", "filter-output"),
        *("nat-prerouting", "nat-postrouting", "filter-forward"),
        *("ingress", "egress"),
    }
)
"""The chains at the hooks of pods, publishers and policies; changes of Services do not touch them."""


class Guard:
    """Listens for rules that are deleted at the hooks of our tables, and has the namespaces looked at then.

    Our own writing replaces them, too: so what is heard is only a reason to look.
    """

    def __init__(self, netns: Netns, rules: RuleSync, clock: clocks.Clock) -> None:
        self._netns = netns
        self._rules = rules
        self._clock = clock
        self._heard = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled; while there is no agent the rounds of ``RuleSync`` have to do."""
        while True:
            with contextlib.suppress(errors.DriverError):
                watch = await self._netns.watch(CHAINS)
                try:
                    await tasks.first(self._place(watch), self._listen(watch), self._verify())
                finally:
                    # What happens while nobody listens is not heard.
                    self._heard.set()
                    await watch.close()
            await self._clock.sleep(LOOK_SECONDS)

    async def _place(self, watch: Watch) -> None:
        while True:
            await watch.follow(self._rules.places())
            await self._clock.sleep(LOOK_SECONDS)

    async def _listen(self, watch: Watch) -> None:
        async for table in watch.deleted():
            if table in TABLES:
                self._heard.set()

    async def _verify(self) -> None:
        while True:
            await self._heard.wait()
            await self._clock.sleep(GATHER_SECONDS)
            self._heard.clear()
            if missed := await self._rules.verify():
                log.info("rules were deleted by hand in %s", ", ".join(each[:12] for each in sorted(missed)))
