"""When probes run, and how many results it takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from minikctl import errors
from minikctl.model.actions.node import ProbeSpec, StartProbe, StopProbe, TcpCheck
from minikctl.node import checks
from minikctl.node.probes import Probes
from minikctl.runtime.tasks import Tasks
from tests.fakes.clock import START, FakeClock, settle

CHECK = TcpCheck("10.0.0.1", 80)
GOOD, BAD = checks.Result(True), checks.Result(False, "broken")
REFUSED = checks.Result(False, "refused", refused=True)


class Script(checks.PassingProber):
    """Gives prepared results, the last one again and again."""

    def __init__(self, clock: FakeClock, *results: checks.Result | Exception) -> None:
        super().__init__(clock)
        self._clock = clock
        self.results = list(results)
        self.times: list[float] = []

    async def check(self, check: Any, container_id: str, timeout: float) -> checks.Result:
        self.times.append(round(self._clock.monotonic(), 2))
        found = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(found, Exception):
            raise found
        return found


class Trial:
    """One probe at work."""

    def __init__(self, *results: checks.Result | Exception, kind: Any = "readiness", **spec: Any) -> None:
        self.clock = FakeClock()
        self.script = Script(self.clock, *results)
        self.found: list[bool] = []
        self.told: list[tuple[str, str, str]] = []
        self.tasks = Tasks()
        self.probes = Probes(self.script, self.clock, self.tasks)
        self.action = StartProbe("app", "id", ProbeSpec(kind, CHECK, **spec))

    def start(self, age: float | None = 0) -> None:
        started = None if age is None else START - timedelta(seconds=age)
        self.probes.start(
            self.action,
            started,
            lambda *result: self.found.append(result[2]),
            lambda *event: self.told.append(event),
        )


async def test_results_count_in_rows() -> None:
    trial = Trial(GOOD, BAD, BAD, GOOD, BAD, BAD, BAD, GOOD, period=1)
    trial.start()
    await trial.clock.advance(9)
    assert trial.found == [True, False, True]
    assert trial.told[0] == ("Warning", "Unhealthy", "Readiness probe failed: broken")
    assert len(trial.told) == 5
    await trial.tasks.close()


async def test_the_first_probe_counts_from_the_start_of_the_container() -> None:
    trial = Trial(GOOD, initial_delay=5, period=10, success_threshold=2)
    trial.start(age=2)
    await trial.clock.advance(2.9)
    assert trial.script.times == []
    await trial.clock.advance(10.2)
    assert trial.script.times == [3, 13]
    assert trial.found == [True]
    await trial.tasks.close()


async def test_a_port_that_is_not_open_yet_is_tried_again_within_the_period() -> None:
    trial = Trial(REFUSED, REFUSED, REFUSED, GOOD, GOOD, REFUSED, period=10)
    trial.start(age=None)
    await trial.clock.advance(5)
    assert trial.script.times == pytest.approx([0, 0.05, 0.125, 0.2375], abs=0.01)
    assert trial.found == [True]
    assert trial.told == []
    await trial.clock.advance(30)
    assert trial.script.times[4:6] == [10, 20]  # once it has answered, a refusal is a result
    await trial.tasks.close()


async def test_a_port_that_stays_closed_fails_once_per_period() -> None:
    trial = Trial(REFUSED, period=2, failure_threshold=2)
    trial.start()
    await trial.clock.advance(4.1)
    assert len(trial.told) == 2
    assert trial.found == [False]
    await trial.tasks.close()


async def test_a_startup_probe_ends_with_its_result() -> None:
    trial = Trial(GOOD, kind="startup", period=1)
    trial.start()
    await trial.clock.advance(5)
    assert trial.script.times == [0]
    assert trial.found == [True]
    assert not len(trial.tasks)


async def test_a_liveness_probe_that_has_failed_leaves_the_ending_container_alone() -> None:
    trial = Trial(GOOD, BAD, BAD, BAD, BAD, GOOD, kind="liveness", period=1)
    trial.start()
    await trial.clock.advance(9)
    assert trial.found == [True, False]
    assert trial.script.times == [0, 1, 2, 3]
    assert len(trial.told) == 3
    assert not len(trial.tasks)


async def test_without_an_engine_nothing_is_known() -> None:
    trial = Trial(errors.EngineUnavailable("gone"), GOOD, period=1)
    trial.start()
    await settle()
    assert (trial.found, trial.told) == ([], [])
    await trial.clock.advance(1)
    assert trial.found == [True]
    await trial.tasks.close()


async def test_warnings_and_errors_are_told() -> None:
    warning = checks.Result(True, warning="odd")
    trial = Trial(warning, checks.Result(False, "who knows", errored=True), period=1, failure_threshold=1)
    trial.start()
    await trial.clock.advance(1)
    assert trial.told == [
        ("Warning", "ProbeWarning", "Readiness probe warning: odd"),
        ("Warning", "Unhealthy", "Readiness probe errored and resulted in unknown state: who knows"),
    ]
    assert trial.found == [True]  # an error says nothing of the container, whatever the threshold
    await trial.tasks.close()


async def test_a_probe_may_be_ended_and_begun_anew() -> None:
    trial = Trial(GOOD, period=1)
    trial.start()
    trial.start()
    await trial.clock.advance(0.5)
    assert trial.script.times == [0]
    trial.probes.stop(StopProbe("id", "readiness"))
    trial.probes.stop(StopProbe("id", "readiness"))
    await trial.clock.advance(5)
    assert trial.script.times == [0]
