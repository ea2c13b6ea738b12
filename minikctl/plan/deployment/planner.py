"""The planner of Deployments."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import kinds, objects, selectors
from minikctl.model.actions.api import Create, Plan, RecordEvent
from minikctl.plan import claims, conditions
from minikctl.plan.deployment import revisions, rollout, scaling, status
from minikctl.plan.deployment.draft import COMPONENT, Draft, progressing
from minikctl.plan.deployment.parts import Deployment, ReplicaSet, View


def desired(view: View, now: datetime) -> Plan:
    """Return the next step of the rollout and the status that tells of it."""
    if not _selector(view):
        return _selects_everything(view)
    found = claims.claim(view.object, selectors.of(_selector(view)), view.replica_sets, kinds.REPLICA_SET)
    if found.actions:
        return Plan(found.actions)
    draft = _draft(view, found.owned, now)
    deployment = draft.deployment
    if objects.is_deleting(view.object):
        return Plan(status=status.counted(draft))
    status.pause_or_resume(draft)
    if deployment.paused or scaling.was_rescaled(deployment, draft.all):
        revisions.adopt(draft)
        scaling.scale(draft)
        if deployment.paused:
            revisions.clean_up(draft)
        return Plan(draft.actions(), status.counted(draft))
    if draft.new is None and _is_taken(view):
        return Plan(status={**status.counted(draft), "collisionCount": (deployment.collisions or 0) + 1})
    revisions.adopt(draft)
    if deployment.is_rolling:
        rollout.rolling(draft)
    else:
        rollout.recreate(draft, view.pods)
    told = status.of_rollout(draft)
    return Plan(draft.actions(), told, status.wake_in(deployment, told, now))


def failed(view: View, action: object, message: str, now: datetime) -> Plan:
    """Return what tells the user that the new ReplicaSet was refused."""
    if not isinstance(action, Create):
        return Plan()
    deployment = Deployment.of(view.object)
    text = f'Failed to create new replica set "{objects.name(action.object)}": {message}'
    event = RecordEvent(view.object, "Warning", "ReplicaSetCreateError", text, COMPONENT)
    if deployment.deadline is None:
        return Plan((event,))
    condition = progressing("False", "ReplicaSetCreateError", text, now)
    current = conditions.put(deployment.status.get("conditions") or (), condition)
    return Plan((event,), {**deployment.status, "conditions": current})


def _selector(view: View) -> dict[str, object]:
    found = objects.spec(view.object).get("selector") or {}
    return {name: value for name, value in found.items() if value}


def _selects_everything(view: View) -> Plan:
    text = "This deployment is selecting all pods. A non-empty selector is required."
    event = RecordEvent(view.object, "Warning", "SelectingAll", text, COMPONENT)
    current = objects.status(view.object)
    if int(current.get("observedGeneration") or 0) >= objects.generation(view.object):
        return Plan()
    return Plan((event,), {**current, "observedGeneration": objects.generation(view.object)})


def _draft(view: View, owned: tuple[objects.Object, ...], now: datetime) -> Draft:
    deployment = Deployment.of(view.object)
    sets = sorted((ReplicaSet.of(each) for each in owned), key=lambda each: each.age_key)
    draft = Draft(deployment, sets, now)
    draft.new = revisions.find_new(deployment, sets)
    if draft.new is not None:
        draft.old = [each for each in sets if each.uid != draft.new.uid]
    return draft


def _is_taken(view: View) -> bool:
    wanted = revisions.child_name(Deployment.of(view.object))
    return any(objects.name(each) == wanted for each in view.replica_sets)
