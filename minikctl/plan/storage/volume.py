"""A volume's phases: available, bound, released; what becomes of it then says its reclaim policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan, RecordEvent, Update
from minikctl.model.objects import Object
from minikctl.plan.storage import parts

_UNBOUND_MARKS = (parts.BOUND_BY_CONTROLLER,)


@dataclass(frozen=True)
class View:
    """A volume, and the claim whose name it bears if there is one."""

    object: Object
    claim: Object | None = None


def desired(view: View, now: datetime) -> Plan:
    """Return the volume's next step; content is removed by the node, which then deletes the volume."""
    volume, phase = view.object, _phase(view)
    if objects.is_deleting(volume):
        return _ended(view, phase, now)
    if held := parts.protected(volume, parts.VOLUME_PROTECTION):
        return Plan((Update(kinds.PERSISTENT_VOLUME, held),))
    if _is_left_behind(view):
        return Plan((Update(kinds.PERSISTENT_VOLUME, _freed(volume)),))
    if phase == "Released":
        return _reclaimed(view, now)
    return Plan((), parts.phase_since(volume, phase, now))


def _claim(view: View) -> Object | None:
    """Return the claim that the volume belongs to, None if it is gone or another one of that name."""
    reference = objects.spec(view.object).get("claimRef") or {}
    if view.claim is None or reference.get("uid") != objects.uid(view.claim):
        return None
    return view.claim


def _phase(view: View) -> str:
    reference = objects.spec(view.object).get("claimRef") or {}
    if not reference.get("uid"):
        return "Available"
    claim = _claim(view)
    if claim is None:
        return "Released"
    if objects.spec(claim).get("volumeName") in (None, "", objects.name(view.object)):
        return "Bound"
    return "Released" if parts.is_ours(view.object) else "Available"


def _is_left_behind(view: View) -> bool:
    """Tell whether the volume was meant for a claim that took another one: it is free again."""
    claim = _claim(view)
    if claim is None or parts.is_ours(view.object):
        return False
    return objects.spec(claim).get("volumeName") not in (None, "", objects.name(view.object))


def _freed(volume: Object) -> Object:
    marks = objects.annotations(volume)
    spec = dict(objects.spec(volume))
    if parts.BOUND_BY_CONTROLLER in marks:
        del spec["claimRef"]
    else:
        reserved = {k: v for k, v in spec["claimRef"].items() if k not in ("uid", "resourceVersion")}
        spec["claimRef"] = reserved
    kept = {key: value for key, value in marks.items() if key not in _UNBOUND_MARKS}
    return {**volume, "metadata": {**objects.meta(volume), "annotations": kept}, "spec": spec}


def _reclaimed(view: View, now: datetime) -> Plan:
    volume = view.object
    policy = objects.spec(volume).get("persistentVolumeReclaimPolicy") or "Retain"
    status: dict[str, Any] = parts.phase_since(volume, "Released", now)
    if policy == "Retain" or (policy == "Delete" and parts.is_ours(volume)):
        return Plan((), status)
    reason, text = _refusal(volume, policy)
    failed = {**parts.phase_since(volume, "Failed", now), "message": text}
    told = RecordEvent(volume, "Warning", reason, text, parts.COMPONENT)
    return Plan(() if objects.status(volume).get("message") == text else (told,), failed)


def _refusal(volume: Object, policy: str) -> tuple[str, str]:
    """Return the reason and sentence for content that nobody here removes."""
    if policy == "Recycle":
        return "VolumeFailedRecycle", "recycling is not supported: delete the volume, or its claimRef"
    text = f'error getting deleter volume plugin for volume "{objects.name(volume)}": '
    return "VolumeFailedDelete", f"{text}no deletable volume plugin matched"


def _ended(view: View, phase: str, now: datetime) -> Plan:
    """Return the end of a deleted volume, once no claim is bound to it any more."""
    finalizers = list(objects.meta(view.object).get("finalizers") or ())
    if phase == "Bound" or parts.VOLUME_PROTECTION not in finalizers:
        return Plan((), parts.phase_since(view.object, phase, now))
    finalizers.remove(parts.VOLUME_PROTECTION)
    metadata = {**objects.meta(view.object), "finalizers": finalizers}
    return Plan((Update(kinds.PERSISTENT_VOLUME, {**view.object, "metadata": metadata}),))
