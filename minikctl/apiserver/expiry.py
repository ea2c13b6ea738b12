"""Events are kept for an hour: one task removes what is older."""

from __future__ import annotations

from datetime import datetime, timedelta

from minikctl import errors
from minikctl.apiserver.registry import Registry
from minikctl.model import kinds, objects
from minikctl.model.objects import Object

KEEP = timedelta(hours=1)
LOOK_EVERY_SECONDS = 60.0


async def expire_events(registry: Registry) -> None:
    """Remove old Events for ever; ends only when it is cancelled."""
    while True:
        await registry.clock.sleep(LOOK_EVERY_SECONDS)
        await remove_old(registry, registry.clock.now() - KEEP)


async def remove_old(registry: Registry, limit: datetime) -> int:
    """Remove the Events that were last seen before the limit; return how many."""
    old = [entry.key for entry in registry.list(kinds.EVENT, "").entries if _last_seen(entry.object) < limit]
    for namespace, name in old:
        try:
            await registry.delete(kinds.EVENT, namespace, name)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
    return len(old)


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
