"""The probes that run: one task each, which tells a result when enough outcomes in a row agree."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from minikctl import errors
from minikctl.model.actions.node import ProbeSpec, StartProbe, StopProbe
from minikctl.node import checks
from minikctl.runtime import clock as clocks
from minikctl.runtime import tasks

Tell = Callable[[str, str, str], None]
Found = Callable[[str, str, bool], None]
"""Takes (container id, kind of probe, passed)."""

FIRST_RETRY_SECONDS = 0.05
RETRY_GROWTH = 1.5
RETRY_LIMIT_SECONDS = 0.25


class Probes:
    """Starts and ends probes."""

    def __init__(self, prober: checks.Prober, clock: clocks.Clock, background: tasks.Tasks) -> None:
        self._prober = prober
        self._clock = clock
        self._background = background
        self._running: dict[tuple[str, str], Callable[[], object]] = {}

    def start(self, action: StartProbe, started_at: datetime | None, found: Found, tell: Tell) -> None:
        """Probe from now on; ``found`` gets each change of the result, ``tell`` the events."""
        key = (action.container_id, action.probe.kind)
        self._cancel(key)
        worker = _Worker(self._prober, self._clock, action, found, tell)
        task = self._background.start(worker.run(started_at), f"{key[1]} probe of {action.container}")
        self._running[key] = task.cancel

    def stop(self, action: StopProbe) -> None:
        """End the probe, if it runs."""
        self._cancel((action.container_id, action.kind))

    def _cancel(self, key: tuple[str, str]) -> None:
        cancel = self._running.pop(key, None)
        if cancel is not None:
            cancel()


class _Worker:
    """One probe of one container."""

    def __init__(
        self, prober: checks.Prober, clock: clocks.Clock, action: StartProbe, found: Found, tell: Tell
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._action = action
        self._probe: ProbeSpec = action.probe
        self._found = found
        self._tell = tell
        self._last: bool | None = None
        self._row = 0
        self._told: bool | None = None

    async def run(self, started_at: datetime | None) -> None:
        """Probe until cancelled; a startup probe ends when it has passed or failed.

        A liveness probe that has failed ends, too, as a kubelet's: its container is on the way out.
        """
        age = (self._clock.now() - started_at).total_seconds() if started_at else 0.0
        await self._clock.sleep(max(0.0, self._probe.initial_delay - age))
        while True:
            began = self._clock.monotonic()
            await self._once(began)
            if self._told is not None and (self._probe.kind == "startup" or self._has_failed_for_good()):
                return
            await self._clock.sleep(max(0.0, self._probe.period - (self._clock.monotonic() - began)))

    def _has_failed_for_good(self) -> bool:
        return self._probe.kind == "liveness" and self._told is False

    async def _once(self, began: float) -> None:
        """Get one outcome and count it."""
        try:
            result = await self._ask(began)
        except errors.EngineUnavailable:
            return  # nothing is known of the container, and nothing is wrong with it
        kind = self._probe.kind.capitalize()
        if result.warning:
            self._tell("Warning", "ProbeWarning", f"{kind} probe warning: {result.warning}")
        if result.errored:
            # Nothing was found out about the container, so nothing counts.
            text = f"{kind} probe errored and resulted in unknown state: {result.output}"
            self._tell("Warning", "Unhealthy", text)
            return
        if not result.passed:
            self._tell("Warning", "Unhealthy", f"{kind} probe failed: {result.output}")
        self._count(result.passed)

    async def _ask(self, began: float) -> checks.Result:
        """Return the outcome.  Until the container answered for the first time, a refused connection is tried
        again within the period: it opens its port when it can, and should not wait for the next period then.
        """
        pause = FIRST_RETRY_SECONDS
        while True:
            result = await self._prober.check(
                self._probe.check, self._action.container_id, self._probe.timeout
            )
            left = self._probe.period - (self._clock.monotonic() - began)
            if not result.refused or self._last is True or left < pause:
                return result
            await self._clock.sleep(pause)
            pause = min(pause * RETRY_GROWTH, RETRY_LIMIT_SECONDS)

    def _count(self, passed: bool) -> None:
        self._row = self._row + 1 if passed == self._last else 1
        self._last = passed
        needed = self._probe.success_threshold if passed else self._probe.failure_threshold
        if self._row >= needed and passed != self._told:
            self._told = passed
            self._found(self._action.container_id, self._probe.kind, passed)
