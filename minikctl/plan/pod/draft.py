"""A plan while it is being made: actions that are due, what containers wait for, when to look again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from minikctl.model.actions.api import RecordEvent
from minikctl.model.actions.node import ActionKey, NodeAction, Report
from minikctl.plan.pod import backoff
from minikctl.plan.pod.view import Failure, PodView


@dataclass(frozen=True)
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str = ""


@dataclass
class Draft:
    """Collects what one plan holds; nothing that is busy, reported or backing off gets in."""

    view: PodView
    now: datetime
    actions: list[NodeAction] = field(default_factory=list)
    waits: dict[str, Waiting] = field(default_factory=dict)
    wake_in: float | None = None

    def add(self, action: NodeAction) -> None:
        """Take the action, unless it is under way, taken already, or failed a short while ago."""
        if action.key in self.view.busy or any(known.key == action.key for known in self.actions):
            return
        failure = self.failure(action.key)
        if failure is not None and backoff.is_waited_for(failure, self.now):
            self.wake((failure.retry_at - self.now).total_seconds())
            return
        self.actions.append(action)

    def failure(self, key: ActionKey) -> Failure | None:
        """Return the latest failure of that action."""
        return self.view.failures.get(key)

    def report(self, token: str, event: RecordEvent) -> None:
        """Have the event recorded, once per token."""
        if token not in self.view.reported:
            self.add(Report(token, event))

    def wait(self, container: str, reason: str, message: str = "") -> None:
        """Note why the container does not run."""
        self.waits[container] = Waiting(reason, message)

    def wake(self, seconds: float) -> None:
        """Have the pod planned again after that time at the latest."""
        # A hair later than due, so that what waits is over when the time comes.
        seconds = max(seconds, 0.0) + 0.01
        self.wake_in = seconds if self.wake_in is None else min(self.wake_in, seconds)
