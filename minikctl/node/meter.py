"""What pods use, measured when somebody asks: between two questions nothing is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from minikctl import errors
from minikctl.drivers.engine import Engine
from minikctl.drivers.usage import Usage, UsageSource
from minikctl.plan.pod import names
from minikctl.runtime import clock as clocks

FIRST_WINDOW_SECONDS = 1.0
"""Who asks first waits so long: it takes two looks to see how fast CPU time is spent."""
FRESH = timedelta(seconds=5)
"""So long an answer serves whoever asks again."""
LONGEST_WINDOW = timedelta(minutes=2)
_AT_ONCE = 16


@dataclass(frozen=True)
class Sample:
    """What a container used: CPUs on average over the window, and bytes of memory at its end."""

    cpus: float
    memory_bytes: int
    at: datetime
    window_seconds: float


Samples = Mapping[str, Mapping[str, Sample]]
"""By pod uid and container name."""
_Key = tuple[str, str, str]
"""Pod uid, container name, container id."""


class Meter:
    """Measures the running containers of one cluster."""

    def __init__(self, engine: Engine, source: UsageSource, cluster: str, clock: clocks.Clock) -> None:
        self._engine = engine
        self._source = source
        self._labels = {names.CLUSTER: cluster}
        self._clock = clock
        self._asking = asyncio.Lock()
        self._before: dict[_Key, Usage] = {}
        self._answer: Samples = {}
        self._answered_at: datetime | None = None

    async def measure(self) -> Samples:
        """Return what each container uses; one that has just started is left out.

        Raises ``errors.DriverError`` when the engine does not answer.
        """
        async with self._asking:
            now = self._clock.now()
            if self._answered_at is None or now - self._answered_at >= FRESH:
                self._answer = await self._measured(now)
                self._answered_at = self._clock.now()
            return self._answer

    async def _measured(self, now: datetime) -> Samples:
        before = {key: each for key, each in self._before.items() if now - each.at <= LONGEST_WINDOW}
        present = await self._look()
        if any(key not in before for key in present):
            first = {**present, **before}
            await self._clock.sleep(FIRST_WINDOW_SECONDS)
            before, present = first, await self._look()
        self._before = present
        found: dict[str, dict[str, Sample]] = {}
        for key, usage in present.items():
            since = before.get(key)
            window = (usage.at - since.at).total_seconds() if since is not None else 0.0
            if since is not None and window > 0:
                cpus = max(usage.cpu_seconds - since.cpu_seconds, 0.0) / window
                sample = Sample(cpus, usage.memory_bytes, usage.at, window)
                found.setdefault(key[0], {})[key[1]] = sample
        return found

    async def _look(self) -> dict[_Key, Usage]:
        listed = await self._engine.list(self._labels)
        running = [
            each
            for each in listed
            if each.status == "running" and each.labels.get(names.ROLE) in (names.APP_ROLE, names.INIT_ROLE)
        ]
        some = asyncio.Semaphore(_AT_ONCE)

        async def one(container_id: str) -> Usage | None:
            async with some:
                try:
                    return await self._source.usage(container_id)
                except errors.EngineUnavailable:
                    raise
                except errors.DriverError:
                    return None

        found = await asyncio.gather(*(one(each.id) for each in running))
        return {
            (each.labels[names.POD_UID], each.labels.get(names.CONTAINER, ""), each.id): usage
            for each, usage in zip(running, found, strict=True)
            if usage is not None
        }
