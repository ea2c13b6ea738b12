"""Removes the directories of volumes that nobody wants any more, and then the volumes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from minikctl import errors
from minikctl.client import informer as informers
from minikctl.drivers import engine as engines
from minikctl.model import kinds, objects
from minikctl.model.actions import api
from minikctl.model.actions.storage import RemoveDirectory
from minikctl.model.objects import Object
from minikctl.node import by_root, files
from minikctl.plan.pod.view import NodeInfo
from minikctl.plan.storage import removal
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor


@dataclass(frozen=True)
class View:
    """A volume."""

    object: Object


class VolumeCleaner:
    """Key: a volume's name; a ``runtime.loop.Controller``."""

    name = "volume-cleaner"

    def __init__(
        self,
        engine: engines.Engine,
        found: informers.Informers,
        executor: ApiExecutor,
        clock: clocks.Clock,
        node: NodeInfo,
    ) -> None:
        self._volumes = found.of(kinds.PERSISTENT_VOLUME)
        self._executor = executor
        self._by_root = by_root.ByRoot(engine, node.cluster, node.infra_image, clock)

    def subscribe(self, enqueue: Callable[[str], None]) -> None:
        """Follow volumes."""

        def changed(old: Object | None, new: Object | None) -> None:  # noqa: ARG001 - what was is no matter
            if new is not None:
                enqueue(objects.name(new))

        self._volumes.subscribe(changed)

    async def ready(self) -> None:
        """Return once all volumes are known."""
        await self._volumes.synced()

    async def observe(self, key: str) -> View | None:
        """Return the volume."""
        found = self._volumes.get("", key)
        return None if found is None else View(found)

    def desired(self, view: View, now: datetime) -> api.Plan:  # noqa: ARG002 - of all controllers
        """Return what ends the volume: first its directory, then what remembers it."""
        return api.Plan(removal.actions(view.object))

    async def execute(self, view: View, plan: api.Plan) -> None:
        """Carry the plan out in its order; a directory that stays is told, and its volume stays too."""
        for action in plan.actions:
            if isinstance(action, RemoveDirectory):
                await self._remove(view.object, action.path)
        rest = tuple(action for action in plan.actions if not isinstance(action, RemoveDirectory))
        await self._executor.execute(kinds.PERSISTENT_VOLUME, view.object, api.Plan(rest))

    async def _remove(self, volume: Object, path: str) -> None:
        try:
            for left in await asyncio.to_thread(files.remove, (path,)):
                await self._by_root.remove(left)
        except (errors.DriverError, OSError) as error:
            told = api.Plan((removal.failed(volume, str(error)),))
            await self._executor.execute(kinds.PERSISTENT_VOLUME, volume, told)
            raise
