"""Keep the FlowSchemas and PriorityLevelConfigurations of the bootstrap, and tell which schema dangles.

The rules are those of Kubernetes' API server: what is missing comes back; mandatory specs are put right,
suggested ones too unless the annotation ``AUTO_UPDATE`` says "false". An object without the annotation counts
as the administrator's if it was changed since it was made.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import flowcontrol, kinds, objects
from minikctl.model.actions.api import Create, Plan, Update
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object
from minikctl.plan import conditions

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(frozen=True)
class View:
    """One object, None if it is gone; what the bootstrap wants of it, if anything; is its level there?"""

    kind: Kind
    found: Object | None
    wanted: Object | None
    has_level: bool = True

    @property
    def object(self) -> Object:
        """Return the object, or what it is to become."""
        return self.found or self.wanted or {}


def desired(view: View, now: datetime) -> Plan:
    """Return the creation of what is missing, the update of what differs, and a FlowSchema's status."""
    if view.found is None:
        return Plan((Create(view.kind, copy.deepcopy(view.wanted)),)) if view.wanted else Plan()
    if objects.is_deleting(view.found):
        return Plan()
    revised = _revised(view.found, view.wanted) if view.wanted else view.found
    actions = (Update(view.kind, revised),) if revised is not view.found else ()
    return Plan(actions, status=_status(view, now))


def _revised(found: Object, wanted: Object) -> Object:
    """Return the object as it should be; the very same when it is."""
    mine = objects.name(wanted) in flowcontrol.MANDATORY or _is_kept(found)
    spec = objects.spec(found)
    right = flowcontrol.fixed(wanted, spec) if mine else spec
    notes = objects.annotations(found)
    if right == spec and _flag(found) is mine:
        return found
    if _flag(found) is not mine:
        notes = {**notes, flowcontrol.AUTO_UPDATE: "true" if mine else "false"}
    return {**found, "metadata": {**objects.meta(found), "annotations": notes}, "spec": right}


def _flag(obj: Object) -> bool | None:
    text = objects.annotations(obj).get(flowcontrol.AUTO_UPDATE)
    return True if text in _TRUE else False if text in _FALSE else None


def _is_kept(obj: Object) -> bool:
    flag = _flag(obj)
    return objects.meta(obj).get("generation") == 1 if flag is None else flag


def _status(view: View, now: datetime) -> dict[str, Any] | None:
    if view.kind is not kinds.FLOW_SCHEMA:
        return None
    level = (objects.spec(view.object).get("priorityLevelConfiguration") or {}).get("name") or ""
    text = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" '
    found = (
        conditions.new("Dangling", "False", "Found", f"{text}and it exists", now)
        if view.has_level
        else conditions.new("Dangling", "True", "NotFound", f"{text}but there is no such object", now)
    )
    status = objects.status(view.object)
    return {**status, "conditions": conditions.refreshed(status.get("conditions") or (), found)}
