"""Changes of scale while ReplicaSets of several revisions have pods: all grow and shrink in proportion."""

from __future__ import annotations

import math

from minikctl.plan.deployment import parts
from minikctl.plan.deployment.draft import Draft
from minikctl.plan.deployment.parts import Deployment, ReplicaSet


def was_rescaled(deployment: Deployment, sets: list[ReplicaSet]) -> bool:
    """Tell whether the wanted number changed since the ReplicaSets were last scaled."""
    noted = (each.number(parts.DESIRED_REPLICAS) for each in parts.active(sets))
    return any(number is not None and number != deployment.replicas for number in noted)


def scale(draft: Draft) -> None:
    """Follow a change of scale without moving the rollout."""
    deployment = draft.deployment
    only = _active_or_latest(draft)
    if only is not None:
        draft.scale(only, deployment.replicas)
    elif _is_saturated(deployment, draft.new):
        for each in parts.active(draft.old):
            draft.scale(each, 0)
    elif deployment.is_rolling:
        _in_proportion(draft)


def _active_or_latest(draft: Draft) -> ReplicaSet | None:
    """Return the only ReplicaSet with pods, the latest if none has any, and None if several have."""
    found = parts.active(draft.all)
    if len(found) > 1:
        return None
    if found:
        return found[0]
    return draft.new or max(draft.old, key=lambda each: each.age_key, default=None)


def _is_saturated(deployment: Deployment, new: ReplicaSet | None) -> bool:
    return (
        new is not None
        and new.replicas == deployment.replicas
        and new.number(parts.DESIRED_REPLICAS) == deployment.replicas
        and new.available == deployment.replicas
    )


def _in_proportion(draft: Draft) -> None:
    deployment = draft.deployment
    sets = parts.active(draft.all)
    allowed = deployment.replicas + deployment.max_surge if deployment.replicas > 0 else 0
    missing = allowed - parts.total(sets)
    # The largest comes first; of equals, the newer one when growing and the older one when shrinking.
    sets.sort(key=lambda each: each.age_key, reverse=missing > 0)
    sets.sort(key=lambda each: -each.replicas)
    shares: list[int] = []
    for each in sets:
        left = missing - sum(shares)
        share = _share(deployment, each)
        shares.append(min(share, left) if missing > 0 else max(share, left))
    for index, each in enumerate(sets):
        leftover = missing - sum(shares) if index == 0 else 0
        size = each.replicas + (shares[index] + leftover if missing else 0)
        draft.resize(each, max(size, 0))


def _share(deployment: Deployment, target: ReplicaSet) -> int:
    if deployment.replicas == 0:
        return -target.replicas
    before = target.number(parts.MAX_REPLICAS) or int(deployment.status.get("replicas") or 0)
    if before == 0:
        return 0
    size = target.replicas * (deployment.replicas + deployment.max_surge) / before
    return math.floor(size + 0.5) - target.replicas
