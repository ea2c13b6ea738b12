"""``apply --wait``: until what was applied runs, with its progress; at once when a pod cannot come to run."""

from __future__ import annotations

import time

from minikctl import errors
from minikctl.cli import interrupts, report, rollouts, timespan
from minikctl.cli.progress import Progress
from minikctl.plan.why import hopeless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from minikctl.cli.selection import Target
    from minikctl.cli.session import Session

PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.25
SETTLE_SECONDS = 2.0
"""So long a container that nothing probes has to run before it counts: what lacks something ends soon."""


def wait(applied: Sequence[tuple[Target, dict[str, Any]]], timeout: str, session: Session) -> int:
    """Return 0 when all run, 1 when some cannot, with their pods' own reasons, or time is over."""
    deadline = time.monotonic() + (timespan.seconds(timeout) or PATIENCE_SECONDS)
    pending = [target for target, _ in applied if _is_followed(target)]
    progress = Progress(session.io)
    failed = False
    trial = Trial(deadline)
    while pending:
        left: list[Target] = []
        for target in pending:
            words, done, broken = _look(target, session, trial)
            if broken:
                progress.say(target.title, report.lined(f"{target.title} will not run: {broken}"))
                failed = True
            elif done:
                progress.say(
                    target.title, f"{target.title} runs" if not words else f"{target.title}: {words}"
                )
            else:
                progress.show(target.title, words)
                left.append(target)
        pending = left
        progress.draw()
        if not pending or time.monotonic() >= deadline:
            break
        interrupts.sleep(POLL_SECONDS)
    progress.end()
    for target in pending:
        words, _, _ = _look(target, session, trial)
        session.io.warn(f"error: timed out waiting for {target.title}: {words}")
        session.io.warn(f"hint: `minikctl why {target.title} -n {target.namespace}` says what it lacks")
    return 1 if failed or pending else 0


def _is_followed(target: Target) -> bool:
    return target.resource.qualified in ("pods", "jobs.batch") or rollouts.of(target) is not None


class Trial:
    """What is up, and not yet known to stay so: a container that nothing probes counts from its start on."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._since: dict[str, tuple[set[str], float]] = {}

    def passed(self, target: Target, pods: Sequence[dict[str, Any]]) -> bool:
        """Tell whether the pods of what is up have stayed so for long enough, or there is no time left."""
        now, runs = time.monotonic(), _runs(pods)
        known, since = self._since.get(target.title, (runs, now))
        if known != runs:  # one was started anew
            since = now
        self._since[target.title] = runs, since
        return not any(map(_is_young, pods)) or now - since >= SETTLE_SECONDS or now >= self._deadline

    def fail(self, target: Target) -> None:
        """Note that it is not up."""
        self._since.pop(target.title, None)


def _runs(pods: Sequence[dict[str, Any]]) -> set[str]:
    """Return what tells the runs of containers that no probe asks apart."""
    return {
        str(one.get("containerID")) + str(one.get("restartCount")) for pod in pods for one in _unprobed(pod)
    }


def _unprobed(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statuses of the containers that no probe asks whether they are ready."""
    probed = {one["name"] for one in pod["spec"]["containers"] if one.get("readinessProbe")}
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return [one for one in found if one["name"] not in probed]


def _is_young(pod: dict[str, Any]) -> bool:
    """Tell whether a container that no probe asks has ended, or may have run for less than the trial."""
    from datetime import UTC, datetime

    from minikctl.model import objects

    if objects.status(pod).get("phase") == "Succeeded":
        return False
    for one in _unprobed(pod):
        begun = objects.parse_time(((one.get("state") or {}).get("running") or {}).get("startedAt"))
        # It is told in whole seconds.
        if begun is None or (datetime.now(UTC) - begun).total_seconds() < SETTLE_SECONDS + 1:
            return True
    return False


def _look(target: Target, session: Session, trial: Trial) -> tuple[str, bool, str]:
    """Return how far the object is, whether that is all, and why it never will be."""
    words, pods, broken = _seen(target, session)
    if pods is None:
        trial.fail(target)
        return words, False, broken
    if trial.passed(target, pods):
        return words, True, ""
    return f"up; watched for {SETTLE_SECONDS:.0f} s, as no probe tells how it is", False, ""


def _seen(target: Target, session: Session) -> tuple[str, Sequence[dict[str, Any]] | None, str]:
    """Return how far the object is, its pods once that is all, and why it never will be."""
    try:
        found = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        return "", None, error.message
    if target.resource.qualified == "pods":
        return _pod(found)
    if target.resource.qualified == "jobs.batch":
        return _job(found, target, session)
    way = rollouts.of(target)
    assert way is not None
    try:
        words, done = way.progress(found)
    except errors.UsageError as error:
        words = str(error).removeprefix("error: ")
        if "progress deadline" in words:
            return words, None, broken(found, target, session) or words
        return "", (), ""  # it does not roll out by itself: nothing to wait for
    if done:
        return words, _newest(found, target, session), ""
    return words, None, broken(found, target, session)


def _pod(found: dict[str, Any]) -> tuple[str, Sequence[dict[str, Any]] | None, str]:
    from minikctl.plan import readiness

    if readiness.phase(found) == "Succeeded" or readiness.is_ready(found):
        return "", (found,), ""
    return f"is {readiness.phase(found)}", None, hopeless.reason(found)


def _job(
    found: dict[str, Any], target: Target, session: Session
) -> tuple[str, Sequence[dict[str, Any]] | None, str]:
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Complete" and condition["status"] == "True":
            return "completed", (), ""
        if condition["type"] == "Failed" and condition["status"] == "True":
            return "", None, str(condition.get("message") or condition.get("reason"))
    status = found.get("status") or {}
    words = f"{status.get('succeeded', 0)} of {found['spec'].get('completions', 1)} succeeded"
    return words, None, broken(found, target, session, wants_end=True)


def broken(found: dict[str, Any], target: Target, session: Session, *, wants_end: bool = False) -> str:
    """Return the reason of the first pod of the newest template that cannot come to run."""
    for pod in _newest(found, target, session):
        why = hopeless.reason(pod, wants_end=wants_end)
        if why and not (wants_end and why.startswith("has failed")):  # a Job has its own patience with those
            return f"pod {pod['metadata']['name']} {why}"
    return ""


def _newest(found: dict[str, Any], target: Target, session: Session) -> list[dict[str, Any]]:
    """Return the pods of the newest template: those of the one before may be broken, or about to end."""
    from minikctl.cli import pods
    from minikctl.model import objects

    try:
        members = pods.members(found, target, session)
    except errors.MinikctlError:
        return []
    if not members:
        return []
    newest = max(members, key=lambda pod: objects.meta(pod).get("creationTimestamp") or "")
    return [pod for pod in members if _hash(pod) == _hash(newest)]


def _hash(pod: dict[str, Any]) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("pod-template-hash") or labels.get("controller-revision-hash") or "")
