"""Writing Events in the background, so that no controller waits for what is only said about it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from minikctl import errors
from minikctl.client import base
from minikctl.model import kinds, objects
from minikctl.model.actions.api import RecordEvent
from minikctl.runtime import clock as clocks
from minikctl.runtime import correlate

log = logging.getLogger(__name__)

QUEUE_SIZE = 1000
NAME_LIMIT = 253


class Recorder:
    """Takes occurrences at once and writes them in order during ``run``; a full queue drops the newest."""

    def __init__(self, client: base.Client, clock: clocks.Clock, *, host: str = "") -> None:
        self._client = client
        self._clock = clock
        self._host = host
        self._correlator = correlate.Correlator()
        self._queue: asyncio.Queue[RecordEvent] = asyncio.Queue(QUEUE_SIZE)
        self._last_stamp = 0
        self._dropped = 0

    def record(self, action: RecordEvent) -> None:
        """Have the Event written soon; never waits and never fails."""
        try:
            self._queue.put_nowait(action)
        except asyncio.QueueFull:
            if not self._dropped:
                log.warning("too many events: %s %r and others are dropped", action.reason, action.message)
            self._dropped += 1

    async def run(self) -> None:
        """Write what is recorded, for ever."""
        while True:
            if self._dropped and self._queue.empty():
                log.warning("too many events: %d were dropped", self._dropped)
                self._dropped = 0
            action = await self._queue.get()
            try:
                await self.write(action)
            except Exception as error:  # noqa: BLE001 - an Event must never stop the control plane
                level = logging.DEBUG if _is_moot(error) else logging.WARNING
                log.log(level, "event %s %r is lost: %s", action.reason, action.message, error)
            finally:
                self._queue.task_done()

    async def drain(self) -> None:
        """Return when all that was recorded is written."""
        await self._queue.join()

    async def write(self, action: RecordEvent) -> None:
        """Write one occurrence: a new Event, or a higher count of the one that tells the same."""
        found = self._correlator.occurred(action, self._clock.monotonic())
        if found is None:
            return
        if found.series is not None and await self._count(action, found, found.series):
            return
        body = self._event(action, found.message)
        await self._client.create(kinds.EVENT, body)
        self._correlator.written(found, objects.name(body), 1)

    async def _count(
        self, action: RecordEvent, found: correlate.Correlated, series: correlate.Series
    ) -> bool:
        """Raise the count of an Event; False if it does not exist any more."""
        body = {
            "count": series.count + 1,
            "lastTimestamp": objects.timestamp(self._clock.now()),
            "message": found.message,
        }
        try:
            await self._client.patch(kinds.EVENT, series.name, _namespace(action), body)
        except errors.StatusError as error:
            if error.reason != "NotFound":
                raise
            self._correlator.lost(found)
            return False
        self._correlator.written(found, series.name, series.count + 1)
        return True

    def _event(self, action: RecordEvent, message: str) -> objects.Object:
        stamp = objects.timestamp(self._clock.now())
        source = {"component": action.component}
        if self._host:
            source["host"] = self._host
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": self._name(action), "namespace": _namespace(action)},
            "involvedObject": reference(action.regarding, action.field_path),
            "type": action.type,
            "reason": action.reason,
            "message": message,
            "source": source,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "reportingComponent": action.component,
            "reportingInstance": self._host,
        }

    def _name(self, action: RecordEvent) -> str:
        # Nanoseconds as upstream; never twice the same, however coarse the clock is.
        stamp = max(int(self._clock.now().timestamp() * 1_000_000) * 1000, self._last_stamp + 1)
        self._last_stamp = stamp
        suffix = f".{stamp:x}"
        return objects.name(action.regarding)[: NAME_LIMIT - len(suffix)] + suffix


def _is_moot(error: Exception) -> bool:
    """Tell whether there is no place any more for an Event: its namespace ends, or is gone."""
    if not isinstance(error, errors.StatusError):
        return False
    return error.reason == "NotFound" or error.has_cause("NamespaceTerminating")


def _namespace(action: RecordEvent) -> str:
    return objects.namespace(action.regarding) or "default"


def reference(obj: objects.Object, field_path: str = "") -> dict[str, Any]:
    """Return the ObjectReference that names the object, or a part of it."""
    found = {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind", ""),
        "namespace": objects.namespace(obj),
        "name": objects.name(obj),
        "uid": objects.uid(obj),
        "resourceVersion": objects.resource_version(obj),
        "fieldPath": field_path,
    }
    return {name: value for name, value in found.items() if value}
