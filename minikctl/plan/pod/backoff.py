"""How long the node waits: after crashes, which containers' labels remember, and after failed actions."""

from __future__ import annotations

from datetime import datetime, timedelta

from minikctl.model.actions.node import ActionKey
from minikctl.model.containers import Container
from minikctl.plan.pod import names
from minikctl.plan.pod.view import Failure

CRASH_BASE = 10
CRASH_CAP = 300
CRASH_RESET_SECONDS = 600
CLOCK_SECONDS = 5.0
"""The engine's clock may be ahead of ours by so much."""
PULL_ERROR_SECONDS = 5.0
"""How long a failed pull is shown as ErrImagePull before it is shown as ImagePullBackOff."""
START_ERROR_SECONDS = 2.0
"""How long a failed start is shown as RunContainerError before it is shown as CrashLoopBackOff."""

_BY_VERB: dict[str, tuple[float, float]] = {"image": (10, 300), "volume": (0.5, 122)}
_BY_REASON: dict[str, tuple[float, float]] = {"ErrImageNeverPull": (2, 10)}
_OTHERS = (1.0, 60.0)


def _is_forgotten(ended: Container, began: datetime | None) -> bool:
    """Tell whether crashes up to this one are: it ran for long, or ended before this node agent began.

    A kubelet remembers no crashes of before its own start, either: a machine may have been shut down.
    """
    if ended.started_at is None or ended.finished_at is None:
        return False
    lived = (ended.finished_at - ended.started_at).total_seconds()
    return lived >= CRASH_RESET_SECONDS or (began is not None and ended.finished_at < began)


def crash_delay(ended: Container, began: datetime | None) -> int:
    """Return how many seconds after its end the container may be started again."""
    return 0 if _is_forgotten(ended, began) else names.number(ended, names.BACKOFF)


def crash_wait(ended: Container, began: datetime | None, now: datetime) -> float:
    """Return how many of those seconds are left; none where the clock was set back to before its end."""
    gone = (now - (ended.finished_at or ended.created_at or now)).total_seconds()
    return max(0.0, crash_delay(ended, began) - gone) if gone > -CLOCK_SECONDS else 0.0


def is_waited_for(failure: Failure, now: datetime) -> bool:
    """Tell whether it is too early to try again; not where the clock was set back to before the failure."""
    return failure.since <= now + timedelta(seconds=CLOCK_SECONDS) and failure.retry_at > now


def next_delay(ended: Container | None, spec_hash: str, began: datetime | None) -> int:
    """Return the delay that the next attempt carries in its label, for the time when it ends."""
    if ended is None or ended.labels.get(names.SPEC_HASH) != spec_hash:
        return 0
    if _is_forgotten(ended, began):
        return CRASH_BASE
    return min(max(CRASH_BASE, 2 * names.number(ended, names.BACKOFF)), CRASH_CAP)


def failed(previous: Failure | None, key: ActionKey, reason: str, message: str, now: datetime) -> Failure:
    """Return the failure of an action, with a retry time that doubles from failure to failure."""
    count = previous.count + 1 if previous else 1
    base, cap = _BY_REASON.get(reason) or _BY_VERB.get(key[0], _OTHERS)
    delay = min(base * 2.0 ** min(count - 1, 32), cap)
    return Failure(reason, message, count, now, now + timedelta(seconds=delay))
