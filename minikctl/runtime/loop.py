"""The one controller loop: key → observe → desired → execute, for every controller in the control plane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from minikctl import errors
from minikctl.model.actions import api
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks
from minikctl.runtime.backoff import Backoff
from minikctl.runtime.queue import WorkQueue

log = logging.getLogger(__name__)

K = TypeVar("K")
V = TypeVar("V")


class Controller(Protocol[K, V]):
    """What the loop needs to know of a controller."""

    @property
    def name(self) -> str:
        """Return the name under which the log speaks of it."""
        ...

    def subscribe(self, enqueue: Callable[[K], None]) -> None:
        """Call ``enqueue`` with each key that may need work, now and on every later change."""
        ...

    async def ready(self) -> None:
        """Return once what ``observe`` reads is complete; before that no plan is made."""
        ...

    async def observe(self, key: K) -> V | None:
        """Return all that a plan for the key depends on, frozen, or None if there is nothing to do."""
        ...

    def desired(self, view: V, now: datetime) -> api.Plan:
        """Return what to do; pure."""
        ...

    async def execute(self, view: V, plan: api.Plan) -> None:
        """Do it in order, stop at the first failure and raise it."""
        ...


def is_conflict(error: BaseException) -> bool:
    """Tell whether the failure only says that the plan was made from an outdated view."""
    cause = error.error if isinstance(error, errors.ActionFailed) else error
    return isinstance(cause, errors.StatusError) and cause.reason == "Conflict"


class ControlLoop(Generic[K, V]):
    """Runs one controller with some workers; a key is never worked on by two of them at once.

    A failure stops the key's plan; after a back-off the key is observed and planned anew.
    """

    def __init__(
        self,
        controller: Controller[K, V],
        clock: clocks.Clock,
        *,
        workers: int = 1,
        backoff: Backoff[K] | None = None,
    ) -> None:
        self.controller = controller
        self.queue: WorkQueue[K] = WorkQueue(clock, backoff)
        self._clock = clock
        self._workers = workers

    async def run(self) -> None:
        """Work until cancelled."""
        self.controller.subscribe(self.queue.add)
        await self.controller.ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.queue.run(), name=f"{self.controller.name}-delays")
            for number in range(self._workers):
                group.create_task(self._work(), name=f"{self.controller.name}-{number}")

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            try:
                await self.step(key)
            finally:
                self.queue.done(key)

    async def step(self, key: K) -> None:
        """Bring one key one plan further; a failure only delays its next turn."""
        try:
            wake_in = await self._reconcile(key)
        except Exception as error:
            if tasks.is_ending():
                raise
            self._retry(key, error)
            return
        self.queue.forget(key)
        if wake_in is not None:
            self.queue.add_after(key, wake_in)

    async def _reconcile(self, key: K) -> float | None:
        view = await self.controller.observe(key)
        if view is None:
            return None
        plan = self.controller.desired(view, self._clock.now())
        await self.controller.execute(view, plan)
        return plan.wake_in

    def _retry(self, key: K, error: Exception) -> None:
        delay = self.queue.add_rate_limited(key)
        if is_conflict(error):
            log.debug("%s %s: planning again: %s", self.controller.name, key, error)
            return
        expected = isinstance(error, errors.MinikctlError)
        log.warning(
            "%s %s: trying again in %.3gs: %s",
            self.controller.name,
            key,
            delay,
            error,
            exc_info=None if expected else error,
        )
