"""Writing pod statuses: only what changed, one write per pod at a time, off everyone's path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from minikctl import errors
from minikctl.client import base
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.1
"""So long a status waits for the next one that nobody is waiting for: containers start in bursts."""
RETRY_SECONDS = 1.0

Written = Callable[[Object, bool], None]
"""Takes the pod as stored after a write, and whether a later status for it waits already."""
Refused = Callable[[str], None]
"""Takes the uid of a pod whose status was made from an outdated one."""


@dataclass
class _Pending:
    """What is to be written for one pod; ``urgent`` is set when it should not wait for more."""

    urgent: asyncio.Event = field(default_factory=asyncio.Event)
    offer: tuple[Object, Object] | None = None
    task: asyncio.Task[None] | None = None


class StatusWriter:
    """Writes the latest offered status of each pod; a stale one is refused and its pod planned again."""

    def __init__(
        self,
        client: base.Client,
        clock: clocks.Clock,
        background: tasks.Tasks,
        written: Written,
        refused: Refused,
    ) -> None:
        self._client = client
        self._clock = clock
        self._background = background
        self._written = written
        self._refused = refused
        self._pending: dict[str, _Pending] = {}

    def offer(self, pod: Object, status: Object) -> None:
        """Have the status written soon, in place of one that was offered before."""
        uid = objects.uid(pod)
        pending = self._pending.setdefault(uid, _Pending())
        pending.offer = (pod, status)
        if is_urgent(objects.status(pod), status):
            pending.urgent.set()
        if pending.task is None:
            pending.task = self._background.start(self._work(uid, pending), f"status of {objects.name(pod)}")

    async def flush(self, uid: str) -> None:
        """Return when all that was offered for the pod is written or refused."""
        pending = self._pending.get(uid)
        if pending is not None and pending.task is not None:
            pending.urgent.set()
            await asyncio.wait((pending.task,))

    async def _work(self, uid: str, pending: _Pending) -> None:
        stored: Object | None = None
        try:
            while pending.offer is not None:
                if not pending.urgent.is_set():
                    await tasks.first(self._clock.sleep(GATHER_SECONDS), pending.urgent.wait())
                pending.urgent.clear()
                pod, status = pending.offer
                pending.offer = None
                stored = await self._write(newer(pod, stored), status)
                if stored is not None:
                    self._written(stored, pending.offer is not None)
        finally:
            del self._pending[uid]

    async def _write(self, pod: Object, status: Object) -> Object | None:
        """Write the difference; return the pod as stored, None if it was not written."""
        difference = merge_patch(objects.status(pod), status)
        if not difference:
            return pod
        metadata = {"uid": objects.uid(pod), "resourceVersion": objects.resource_version(pod)}
        body = {"metadata": metadata, "status": difference}
        while True:
            try:
                found = await self._client.patch(
                    kinds.POD, objects.name(pod), objects.namespace(pod), body, subresource="status"
                )
            except errors.MinikctlError as error:
                refusal = error if isinstance(error, errors.StatusError) and error.code < 500 else None
                if refusal is None or refusal.reason not in ("Conflict", "NotFound"):
                    log.warning("status of pod %s/%s: %s", objects.namespace(pod), objects.name(pod), error)
                if refusal is not None:
                    self._refused(objects.uid(pod))
                    return None
                await self._clock.sleep(RETRY_SECONDS)
            else:
                return found


def newer(pod: Object, stored: Object | None) -> Object:
    """Return the one of the two with the later resourceVersion."""
    if stored is None:
        return pod
    known, found = objects.resource_version(pod), objects.resource_version(stored)
    return stored if int(found or 0) > int(known or 0) else pod


def merge_patch(old: Any, new: Any) -> Object:
    """Return the merge patch that turns ``old`` into ``new``; empty if they are equal."""
    patch: Object = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if key in old and before == value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            patch[key] = merge_patch(before, value)
        else:
            patch[key] = value
    return patch


def is_urgent(old: Object, new: Object) -> bool:
    """Tell whether somebody may be waiting for the change: of the phase, or of readiness."""
    return old.get("phase") != new.get("phase") or _readiness(old) != _readiness(new)


def _readiness(status: Object) -> tuple[object, ...]:
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or ()}
    return conditions.get("Ready", "False"), conditions.get("ContainersReady", "False")
