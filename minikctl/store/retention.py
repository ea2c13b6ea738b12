"""How much history is kept: the newest revisions and the last hour, within a bound."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from minikctl import errors
from minikctl.store.store import Compacted, Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retention:
    """A revision goes when it is older than both ``revisions`` and ``seconds`` allow, or beyond ``limit``."""

    revisions: int = 10_000
    seconds: float = 3600.0
    limit: int = 100_000
    interval: float = 60.0

    def droppable(self, newest: int, old: int) -> int:
        """Return up to which revision history may go (0: none); ``old`` is the newest of those too old."""
        return max(0, min(old, newest - self.revisions), newest - self.limit)


async def keep(
    store: Store,
    retention: Retention,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Compact the store from time to time until cancelled; a failure only delays it."""
    while True:
        try:
            target = retention.droppable(store.revision, await _newest_at(store, now() - retention.seconds))
            # Small steps are not worth their transaction.
            if target > store.compacted + retention.revisions // 10:
                gone = await store.compact(target)
                logger.debug("compacted up to revision %d: %d rows went", target, gone)
        except errors.StoreError as error:
            logger.warning("compaction: %s", error)
        await sleep(retention.interval)


async def _newest_at(store: Store, moment: float) -> int:
    try:
        return await store.revision_at(moment)
    except Compacted:
        return 0  # what is that old has gone already
