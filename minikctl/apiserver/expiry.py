"""What is kept for a time only: Events for an hour, changes that watches may begin with for minutes."""

from __future__ import annotations

import contextlib
import logging
from datetime import UTC, datetime, timedelta

from minikctl import errors
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.store.store import Mismatch

logger = logging.getLogger(__name__)

KEEP = timedelta(hours=1)
LOOK_EVERY_SECONDS = 60.0
FRESH_SECONDS = 150.0
"""A watch, or a list in pieces, may go on from a revision this long ago, unless very much happened since."""


async def expire_events(registry: Registry) -> None:
    """Remove old Events for ever; ends only when it is cancelled, a failure only delays it."""
    while True:
        await registry.clock.sleep(LOOK_EVERY_SECONDS)
        try:
            await _remove_old(registry, registry.clock.now())
        except errors.StoreError as error:
            logger.warning("expiry of events: %s", error)


async def settle_changes(registry: Registry) -> None:
    """Free the memory that old changes hold; ends only when it is cancelled."""
    while True:
        await registry.clock.sleep(FRESH_SECONDS)
        registry.feed.settle()


async def _remove_old(registry: Registry, now: datetime) -> None:
    """Remove the Events that were last seen, or written, longer ago than they are kept.

    As what a store lets expire: neither finalizers keep them, nor do admission's plugins see them go.
    """
    for entry in registry.list(kinds.EVENT, "").entries:
        seen = _last_seen(entry.object)
        if seen > now:  # whoever wrote it has another clock: it counts when that was
            seen = datetime.fromtimestamp(await registry.store.moment_of(entry.revision), UTC)
        if seen >= now - KEEP:
            continue
        with contextlib.suppress(Mismatch):  # it was seen again, or is gone already
            await registry.remove(kinds.EVENT, entry)


def _last_seen(event: Object) -> datetime:
    series = event.get("series") or {}
    texts = (
        objects.meta(event).get("creationTimestamp"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        series.get("lastObservedTime"),
    )
    found = [moment for text in texts if (moment := objects.parse_time(text)) is not None]
    return max(found)
