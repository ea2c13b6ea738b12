"""Moving pods from old ReplicaSets to the new one, step by step or all at once."""

from __future__ import annotations

from collections.abc import Iterable

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.plan import readiness
from minikctl.plan.deployment import parts, revisions
from minikctl.plan.deployment.draft import Draft
from minikctl.plan.deployment.parts import ReplicaSet
from minikctl.plan.deployment.status import is_complete


def rolling(draft: Draft) -> None:
    """Grow the new ReplicaSet if there is room, else shrink the old ones as far as availability allows."""
    if draft.new is None:
        revisions.create(draft, _room(draft, 0))
    if not _grow(draft) and not _shrink(draft) and is_complete(draft.deployment, draft.deployment.status):
        revisions.clean_up(draft)


def recreate(draft: Draft, pods: Iterable[Object]) -> None:
    """Remove all old pods, wait for their end, then create the new ones."""
    scaled = [draft.scale(each, 0) for each in parts.active(draft.old)]
    if any(scaled) or _old_pods_run(draft, pods):
        return
    wanted = draft.deployment.replicas
    if draft.new is None:
        revisions.create(draft, wanted)
    else:
        draft.scale(draft.new, wanted)
    if is_complete(draft.deployment, draft.deployment.status):
        revisions.clean_up(draft)


def _room(draft: Draft, current: int) -> int:
    """Return how many pods the new ReplicaSet, now asked for ``current``, may have."""
    deployment = draft.deployment
    room = deployment.replicas + deployment.max_surge - parts.total(draft.all)
    return current if room <= 0 else current + min(room, deployment.replicas - current)


def _grow(draft: Draft) -> bool:
    new = draft.new
    if new is None or new.replicas == draft.deployment.replicas:
        return False
    if new.replicas > draft.deployment.replicas:
        return draft.scale(new, draft.deployment.replicas)
    return draft.scale(new, _room(draft, new.replicas))


def _shrink(draft: Draft) -> bool:
    new = draft.new
    if new is None or parts.total(draft.old) == 0 or not _is_settled(draft):
        return False
    least = draft.deployment.replicas - draft.deployment.max_unavailable
    # Pods of the new ReplicaSet that are not available yet count as missing: they must not cost old ones.
    spare = parts.total(draft.all) - least - (new.replicas - new.available)
    if spare <= 0:
        return False
    unhealthy = _drop_unhealthy(draft, spare)
    healthy = _drop_healthy(draft, least)
    return unhealthy or healthy


def _is_settled(draft: Draft) -> bool:
    """Tell whether all counts are true: pods that are about to go must not be counted on."""
    return all(each.is_observed for each in parts.active(draft.all))


def _oldest_first(draft: Draft) -> list[ReplicaSet]:
    return sorted(parts.active(draft.old), key=lambda each: each.age_key)


def _drop_unhealthy(draft: Draft, spare: int) -> bool:
    """Give up pods that are not available: that costs no availability, and they could block the rollout."""
    dropped = 0
    for each in _oldest_first(draft):
        count = min(spare - dropped, each.replicas - each.available)
        if count > 0:
            draft.scale(each, each.replicas - count)
            dropped += count
    return dropped > 0


def _drop_healthy(draft: Draft, least: int) -> bool:
    spare = sum(each.available for each in draft.all) - least
    dropped = 0
    for each in _oldest_first(draft):
        count = min(spare - dropped, each.replicas)
        if count > 0:
            draft.scale(each, each.replicas - count)
            dropped += count
    return dropped > 0


def _old_pods_run(draft: Draft, pods: Iterable[Object]) -> bool:
    if parts.total_counted(draft.old, "replicas") > 0:
        return True
    new = draft.new.uid if draft.new is not None else ""
    controllers = (
        (objects.controller_of(pod) or {}).get("uid") for pod in pods if not readiness.is_finished(pod)
    )
    return any(uid != new for uid in controllers)
