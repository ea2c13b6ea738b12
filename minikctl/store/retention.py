"""How much history is kept: the newest revisions and the last hour, within a bound."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from minikctl import errors
from minikctl.store.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """A revision goes when it is older than both ``revisions`` and ``seconds`` allow, or beyond ``limit``."""

    revisions: int = 10_000
    seconds: float = 3600.0
    limit: int = 100_000
    interval: float = 60.0


class Ages:
    """Remembers which revision was the newest when: the log itself has no times."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._seen: deque[tuple[float, int]] = deque()
        self._old = 0

    def droppable(self, now: float, newest: int) -> int:
        """Return the revision up to which history may go (0: none), given the newest one at this moment."""
        if not self._seen or self._seen[-1][1] != newest:
            self._seen.append((now, newest))
        while self._seen and self._seen[0][0] <= now - self._retention.seconds:
            self._old = self._seen.popleft()[1]
        aged = min(self._old, newest - self._retention.revisions)
        return max(0, aged, newest - self._retention.limit)


async def keep(
    store: Store,
    retention: Retention,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Compact the store from time to time until cancelled; a failure only delays it."""
    ages = Ages(retention)
    while True:
        target = ages.droppable(monotonic(), store.revision)
        try:
            # Small steps are not worth their transaction.
            if target > store.compacted + retention.revisions // 10:
                gone = await store.compact(target)
                logger.debug("compacted up to revision %d: %d rows went", target, gone)
        except errors.StoreError as error:
            logger.warning("compaction: %s", error)
        await sleep(retention.interval)
