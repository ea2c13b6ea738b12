"""Measures what pods with limits on local storage use, and ends those that use too much."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

from minikctl import errors
from minikctl.client import informer as informers
from minikctl.drivers import engine as engines
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan.pod import eviction
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
"""As often as the kubelet looks."""
BLOCK = 512


class Evictor:
    """Looks every ten seconds at pods that have such limits; where none has, nothing is measured."""

    def __init__(
        self,
        engine: engines.Engine,
        found: informers.Informers,
        executor: ApiExecutor,
        clock: clocks.Clock,
        node: NodeInfo,
    ) -> None:
        self._engine = engine
        self._pods = found.of(kinds.POD)
        self._executor = executor
        self._clock = clock
        self._node = node

    async def run(self) -> None:
        """Look until cancelled."""
        await self._pods.synced()
        while True:
            await self._clock.sleep(PERIOD_SECONDS)
            for pod in list(self._pods.items()):
                try:
                    await self.look(pod)
                except errors.MinikctlError as error:
                    log.info("measuring pod %s/%s: %s", *objects.key(pod), error)

    async def look(self, pod: Object) -> None:
        """End the pod if it uses more than it may."""
        limits = eviction.limits(pod) if objects.spec(pod).get("nodeName") else None
        if limits is None:
            return
        paths = eviction.directories(pod, limits, self._node)
        volumes = {name: await asyncio.to_thread(used, path) for name, path in paths.items()}
        containers = await written(self._engine, pod) if limits.measures_containers else {}
        message = eviction.verdict(pod, limits, eviction.Usage(volumes, containers))
        if message:
            log.info("pod %s/%s is evicted: %s", *objects.key(pod), message)
            await self._executor.run(eviction.evict(pod, message, self._clock.now()), [])


async def written(engine: engines.Engine, pod: Object) -> dict[str, int]:
    """Return the bytes that the containers have written, by name; who is not there yet is left out."""
    found = {}
    told = objects.status(pod)
    for status in (*(told.get("containerStatuses") or ()), *(told.get("initContainerStatuses") or ())):
        container_id = str(status.get("containerID") or "").partition("://")[2]
        if container_id:
            with contextlib.suppress(errors.NoSuchContainer):
                found[str(status.get("name"))] = await engine.written(container_id)
    return found


def used(path: str) -> int:
    """Return the bytes that a directory's files take on the disk; what cannot be seen counts nothing."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for base, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                found = os.lstat(os.path.join(base, name))
                if (found.st_dev, found.st_ino) not in seen:
                    seen.add((found.st_dev, found.st_ino))
                    total += found.st_blocks * BLOCK
    return total
