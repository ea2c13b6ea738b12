"""Rules and routes that somebody changes in a pod's network are put right at once, not a round later."""

from __future__ import annotations

import contextlib
import logging

from minikctl import errors
from minikctl.drivers.netns import Netns
from minikctl.network.sync import RuleSync
from minikctl.plan import netpol, proxy
from minikctl.runtime import clock as clocks

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0
TABLES = frozenset({proxy.TABLE, netpol.TABLE, ""})
"""Ours, and what nothing but a change is known of, as of routes."""


class Guard:
    """Has a namespace written anew when others than us changed our tables or routes in it."""

    def __init__(self, netns: Netns, rules: RuleSync, clock: clocks.Clock) -> None:
        self._netns = netns
        self._rules = rules
        self._clock = clock

    async def run(self) -> None:
        """Listen until cancelled; while there is no agent the rounds of ``RuleSync`` have to do."""
        while True:
            with contextlib.suppress(errors.DriverError):
                await self._listen()
                # What happens while nobody listens is not heard.
                self._rules.suspect_all()
            await self._clock.sleep(AGAIN_SECONDS)

    async def _listen(self) -> None:
        async for container_id, table in self._netns.disturbed():
            if table in TABLES and self._rules.suspect(container_id, routes=not table):
                log.info("rules or routes were changed by hand in %s", container_id[:12])
