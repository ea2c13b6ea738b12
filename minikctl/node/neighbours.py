"""The pods that a node has taken, for a pod whose place among them is in question."""

from __future__ import annotations

from collections.abc import Iterable

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.node.record import PodRecord
from minikctl.plan.pod import admission, resizing


def wants_room(found: PodRecord) -> bool:
    """Tell whether the node has to find out if the pod fits.

    It names the node without a scheduler, or is to get other resources than it has.
    """
    if found.pod is None:
        return False
    if found.status is None and admission.is_new(found.pod):
        return not admission.is_placed(found.pod)
    return resizing.is_wanted({**found.pod, "status": found.status or objects.status(found.pod)})


def of(found: PodRecord, records: Iterable[PodRecord]) -> tuple[Object, ...]:
    """Return the other pods that the same node has taken, with the status that they will have."""
    others = (
        {**other.pod, "status": other.status or objects.status(other.pod)}
        for other in records
        if other is not found and other.pod is not None and other.node == found.node
    )
    return tuple(other for other in others if not admission.is_new(other))
