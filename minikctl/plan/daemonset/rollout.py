"""Replacing pods of an old template: by deleting them first, or by starting new ones beside them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan.daemonset import parts
from minikctl.plan.daemonset.parts import DaemonSet
from minikctl.plan.daemonset.placing import Changes

Pods = Mapping[str, list[Object]]
Pair = tuple[Object | None, Object | None]


def changes(owner: DaemonSet, nodes: Mapping[str, Object], pods: Pods, suffix: str, now: datetime) -> Changes:
    """Return the next step of the rollout within the strategy's bounds."""
    wanted = [name for name, node in nodes.items() if owner.runs_on(node)[0]]
    surge, unavailable = owner.fences(len(wanted))
    pairs = {name: _pair(here, suffix) for name, here in sorted(pods.items())}
    if surge:
        return _surge(owner, nodes, pairs, (surge, len(wanted)), now)
    return _replace(owner, pairs, unavailable, now)


def _pair(pods: list[Object], suffix: str) -> Pair | None:
    """Return the node's (new, old) pod, None if there are several of a kind."""
    staying = [pod for pod in pods if not objects.is_deleting(pod)]
    new = [pod for pod in staying if parts.is_new(pod, suffix)]
    old = [pod for pod in staying if not parts.is_new(pod, suffix)]
    if len(new) > 1 or len(old) > 1:
        return None
    return (new[0] if new else None), (old[0] if old else None)


def _replace(owner: DaemonSet, pairs: Mapping[str, Pair | None], allowed: int, now: datetime) -> Changes:
    free: list[Object] = []
    candidates: list[Object] = []
    missing = 0
    for pair in pairs.values():
        new, old = pair or (None, None)
        if old is not None and new is None:
            if owner.available(old, now):
                candidates.append(old)
            else:
                free.append(old)
                missing += 1
        elif not (old is None and owner.available(new, now)):
            missing += 1
    return Changes(pods=[*free, *candidates[: max(allowed - missing, 0)]])


def _surge(
    owner: DaemonSet,
    nodes: Mapping[str, Object],
    pairs: Mapping[str, Pair | None],
    bounds: tuple[int, int],
    now: datetime,
) -> Changes:
    found = Changes()
    surge, wanted = bounds
    candidates: list[str] = []
    unwanted: list[Object] = []
    surging = available = 0
    for name, pair in pairs.items():
        if pair is None:
            surging += 1
            continue
        new, old = pair
        available += owner.available(old if old is not None else new, now)
        if old is None:
            continue
        if new is not None:
            if owner.available(new, now):
                found.pods.append(old)
            else:
                surging += 1
        elif name not in nodes or not owner.runs_on(nodes[name])[0]:
            (unwanted if owner.available(old, now) else found.pods).append(old)
        elif owner.available(old, now):
            candidates.append(name)
        else:
            found.nodes.append(name)
    # Where a node is not wanted any more, its pod goes once another one serves instead.
    found.pods += unwanted[: max(available - wanted, 0)]
    found.nodes += candidates[: max(surge - surging, 0)]
    return found
