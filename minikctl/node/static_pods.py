"""Follows the directory of static pods and has the API mirror what is in it."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import yaml

from minikctl import errors
from minikctl.client import informer as informers
from minikctl.model import kinds, objects
from minikctl.model.objects import Object
from minikctl.plan.pod import static
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

log = logging.getLogger(__name__)

DIRECTORY = "manifests"
PERIOD_SECONDS = 1.0
_ENDINGS = (".yaml", ".yml", ".json")


class StaticPods:
    """Runs the pods of one directory on one node; what is wrong with a file is logged when it changes."""

    def __init__(
        self,
        found: informers.Informers,
        executor: ApiExecutor,
        clock: clocks.Clock,
        node: str,
        directory: str,
    ) -> None:
        self._pods, self._nodes = found.of(kinds.POD), found.of(kinds.NODE)
        self._executor = executor
        self._clock = clock
        self._node = node
        self._directory = directory
        self._read: dict[str, tuple[float, Object | None]] = {}

    async def run(self) -> None:
        """Follow the directory until cancelled; it need not be there."""
        await self._pods.synced()
        await self._nodes.synced()
        while True:
            try:
                await self.step()
            except (errors.MinikctlError, OSError) as error:
                log.warning("static pods: %s", error)
            await self._clock.sleep(PERIOD_SECONDS)

    async def step(self) -> None:
        """Look at the files once and bring the API's mirrors up to date."""
        files = await asyncio.to_thread(self._files)
        mirrors = static.mirrors(self._pods.items(), self._node)
        node = self._nodes.get("", self._node)
        if node is not None and (files or mirrors):
            actions = static.desired(static.View(files, node, mirrors))
            for action in actions:
                await self._executor.run([action], [])

    def _files(self) -> dict[str, Object]:
        try:
            names = sorted(os.listdir(self._directory))
        except FileNotFoundError:
            names = []
        chosen = [name for name in names if name.endswith(_ENDINGS) and not name.startswith(".")]
        self._read = {name: self._file(name) for name in chosen}
        return {name: pod for name, (_, pod) in self._read.items() if pod is not None}

    def _file(self, name: str) -> tuple[float, Object | None]:
        path = os.path.join(self._directory, name)
        known, changed = self._read.get(name), 0.0
        found: Any = None
        try:
            changed = os.stat(path).st_mtime
            if known is not None and known[0] == changed:
                return known
            with open(path, encoding="utf-8") as source:
                found = yaml.safe_load(source)
            problem = static.refusal(found)
        except OSError as error:  # a link to nowhere, or what we may not read
            problem = error.strerror or str(error)
            if known == (changed, None):
                return known
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problem = str(error)
        if problem:
            log.warning("static pod %s: %s", path, problem)
            return changed, None
        log.info("static pod %s: %s", path, objects.name(found))
        return changed, found
