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


def wait(applied: Sequence[tuple[Target, dict[str, Any]]], timeout: str, session: Session) -> int:
    """Return 0 when all run, 1 when some cannot, with their pods' own reasons, or time is over."""
    deadline = time.monotonic() + (timespan.seconds(timeout) or PATIENCE_SECONDS)
    pending = [target for target, _ in applied if _is_followed(target)]
    progress = Progress(session.io)
    failed = False
    while pending:
        left: list[Target] = []
        for target in pending:
            words, done, broken = _look(target, session)
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
        words, _, _ = _look(target, session)
        session.io.warn(f"error: timed out waiting for {target.title}: {words}")
        session.io.warn(f"hint: `minikctl why {target.title} -n {target.namespace}` says what it lacks")
    return 1 if failed or pending else 0


def _is_followed(target: Target) -> bool:
    return target.resource.qualified in ("pods", "jobs.batch") or rollouts.of(target) is not None


def _look(target: Target, session: Session) -> tuple[str, bool, str]:
    """Return how far the object is, whether that is all, and why it never will be."""
    try:
        found = session.client.request("GET", target.path()).json()
    except errors.StatusError as error:
        return "", False, error.message
    if target.resource.qualified == "pods":
        return _pod(found)
    if target.resource.qualified == "jobs.batch":
        return _job(found, target, session)
    way = rollouts.of(target)
    assert way is not None
    try:
        words, done = way.progress(found)
    except errors.UsageError as error:
        words, done = str(error).removeprefix("error: "), False
        if "progress deadline" in words:
            return words, False, broken(found, target, session) or words
        return "", True, ""  # it does not roll out by itself: nothing to wait for
    if done:
        return words, True, ""
    return words, False, broken(found, target, session)


def _pod(found: dict[str, Any]) -> tuple[str, bool, str]:
    from minikctl.plan import readiness

    if readiness.phase(found) == "Succeeded" or readiness.is_ready(found):
        return "", True, ""
    return f"is {readiness.phase(found)}", False, hopeless.reason(found)


def _job(found: dict[str, Any], target: Target, session: Session) -> tuple[str, bool, str]:
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Complete" and condition["status"] == "True":
            return "completed", True, ""
        if condition["type"] == "Failed" and condition["status"] == "True":
            return "", False, str(condition.get("message") or condition.get("reason"))
    status = found.get("status") or {}
    words = f"{status.get('succeeded', 0)} of {found['spec'].get('completions', 1)} succeeded"
    return words, False, broken(found, target, session, wants_end=True)


def broken(found: dict[str, Any], target: Target, session: Session, *, wants_end: bool = False) -> str:
    """Return the reason of the first pod of the newest template that cannot come to run."""
    from minikctl.cli import pods
    from minikctl.model import objects

    try:
        members = pods.members(found, target, session)
    except errors.MinikctlError:
        return ""
    if not members:
        return ""
    newest = max(members, key=lambda pod: objects.meta(pod).get("creationTimestamp") or "")
    for pod in members:
        # Pods of the template before may be broken: that is what the new one is to mend.
        why = hopeless.reason(pod, wants_end=wants_end) if _hash(pod) == _hash(newest) else ""
        if why and not (wants_end and why.startswith("has failed")):  # a Job has its own patience with those
            return f"pod {pod['metadata']['name']} {why}"
    return ""


def _hash(pod: dict[str, Any]) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("pod-template-hash") or labels.get("controller-revision-hash") or "")
