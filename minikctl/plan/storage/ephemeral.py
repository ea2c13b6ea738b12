"""Claims that live and die with a pod: made from the pod's own templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Create, Plan, RecordEvent
from minikctl.model.objects import Object
from minikctl.plan import readiness

COMPONENT = "ephemeral_volume"


@dataclass(frozen=True)
class View:
    """A pod, and the claims of its namespace by name."""

    object: Object
    claims: Mapping[str, Object] = field(default_factory=dict)


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - of all planners
    """Return the creation of the claims that the pod lacks."""
    if not readiness.is_active(view.object):
        return Plan()
    missing = [each for each in claims(view.object) if objects.name(each) not in view.claims]
    return Plan(tuple(Create(kinds.PERSISTENT_VOLUME_CLAIM, each) for each in missing))


def failed(view: View, action: object, message: str, now: datetime) -> Plan:  # noqa: ARG001 - of all planners
    """Return what tells the user that a claim was refused."""
    if not isinstance(action, Create):
        return Plan()
    text = f"ephemeral volume controller: create PVC {objects.name(action.object)}: {message}"
    return Plan((RecordEvent(view.object, "Warning", "FailedBinding", text, COMPONENT),))


def claims(pod: Object) -> list[Object]:
    """Return the claims that the pod's ephemeral volumes ask for."""
    found = []
    for volume in objects.spec(pod).get("volumes") or ():
        template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
        if template is not None:
            found.append(_claim(pod, str(volume["name"]), template))
    return found


def _claim(pod: Object, volume: str, template: Object) -> Object:
    owner = {"apiVersion": "v1", "kind": "Pod", **pod}
    metadata: dict[str, Any] = {
        "name": f"{objects.name(pod)}-{volume}",
        "namespace": objects.namespace(pod),
        "ownerReferences": [objects.owner_reference(owner)],
    }
    for field_ in ("labels", "annotations"):
        if objects.meta(template).get(field_):
            metadata[field_] = dict(objects.meta(template)[field_])
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": objects.spec(template),
    }
