"""One pod on each node that fits, and none elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from minikctl.model import objects
from minikctl.model.actions.api import RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.daemonset import parts
from minikctl.plan.daemonset.parts import DaemonSet

FAILED_LEAST, FAILED_MOST = 1.0, 900.0
"""Seconds that a failed pod stays: as long as it lived, but within these."""


@dataclass
class Changes:
    """Nodes that need a pod, pods to delete, what to tell of it, and when to look again."""

    nodes: list[str] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    events: list[RecordEvent] = field(default_factory=list)
    wake_in: float | None = None

    def wake(self, seconds: float) -> None:
        """Have it planned again after that time, or earlier."""
        self.wake_in = seconds if self.wake_in is None else min(self.wake_in, seconds)


def changes(
    owner: DaemonSet,
    nodes: Mapping[str, Object],
    pods: Mapping[str, list[Object]],
    suffix: str,
    now: datetime,
) -> Changes:
    """Return what brings each node to its one pod; ``suffix`` is the hash of the present template."""
    found = Changes()
    surges = owner.fences(len(nodes))[0] > 0
    for name, node in nodes.items():
        here = pods.get(name, [])
        start, stay = owner.runs_on(node)
        if not stay:
            found.pods += _staying(here)
        elif not here:
            found.nodes += [name] if start else []
        else:
            running = list(_healthy(owner, name, here, now, found))
            if surges and not running and start:
                found.nodes.append(name)
            found.pods += _pair(owner, running, suffix, now) if surges else running[1:]
    for name, here in pods.items():
        if name not in nodes:
            found.pods += [pod for pod in _staying(here) if not objects.spec(pod).get("nodeName")]
    return found


def _staying(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if not objects.is_deleting(pod)]


def _healthy(
    owner: DaemonSet, node: str, pods: list[Object], now: datetime, found: Changes
) -> Iterator[Object]:
    """Yield the node's pods that count; finished ones are deleted."""
    for pod in _staying(pods):
        path = "/".join(objects.key(pod))
        if readiness.phase(pod) == "Failed":
            wait = _failed_wait(pod, now)
            if wait > 0:
                found.wake(wait)
                continue
            text = f"Found failed daemon pod {path} on node {node}, will try to kill it"
            found.events.append(
                RecordEvent(owner.object, "Warning", "FailedDaemonPod", text, parts.COMPONENT)
            )
            found.pods.append(pod)
        elif readiness.phase(pod) == "Succeeded":
            text = f"Found succeeded daemon pod {path} on node {node}, will try to delete it"
            found.events.append(
                RecordEvent(owner.object, "Normal", "SucceededDaemonPod", text, parts.COMPONENT)
            )
            found.pods.append(pod)
        else:
            yield pod


def _failed_wait(pod: Object, now: datetime) -> float:
    """Return how long a failed pod is left alone, so that one that always fails does not spin."""
    created = objects.parse_time(objects.meta(pod).get("creationTimestamp")) or now
    ready = objects.condition(pod, "Ready") or {}
    ended = objects.parse_time(ready.get("lastTransitionTime")) or created
    lived = (ended - created).total_seconds()
    stay = timedelta(seconds=min(max(lived, FAILED_LEAST), FAILED_MOST))
    return max(0.0, (ended + stay - now).total_seconds())


def _pair(owner: DaemonSet, running: list[Object], suffix: str, now: datetime) -> list[Object]:
    """Return which pods of a node are one too many while a surge lets an old and a new one live together."""
    new = [pod for pod in running if parts.is_new(pod, suffix)]
    old = [pod for pod in running if not parts.is_new(pod, suffix)]
    gone = [*new[1:], *old[1:]]
    if new and old and (not readiness.is_ready(old[0]) or owner.available(new[0], now)):
        gone.append(old[0])
    return gone
