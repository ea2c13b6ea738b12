"""The end of a volume that our provisioner made: its directory goes, then the volume."""

from __future__ import annotations

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Delete, RecordEvent, Update
from minikctl.model.actions.storage import RemoveDirectory, StorageAction
from minikctl.model.objects import Object
from minikctl.plan.storage import parts


def actions(volume: Object) -> tuple[StorageAction, ...]:
    """Return what ends the volume, nothing while it is wanted or kept by its reclaim policy."""
    if not parts.is_ours(volume):
        return ()
    phase, deleting = objects.status(volume).get("phase"), objects.is_deleting(volume)
    kept = objects.spec(volume).get("persistentVolumeReclaimPolicy") != "Delete"
    released = phase in ("Released", "Failed") and not kept
    if not released and not (deleting and phase != "Bound"):
        return ()
    found: list[StorageAction] = []
    if not kept:
        found.append(RemoveDirectory(str(objects.spec(volume)["hostPath"]["path"])))
    finalizers = list(objects.meta(volume).get("finalizers") or ())
    if parts.CONTENT_PROTECTION in finalizers:
        finalizers.remove(parts.CONTENT_PROTECTION)
        metadata = {**objects.meta(volume), "finalizers": finalizers}
        found.append(Update(kinds.PERSISTENT_VOLUME, {**volume, "metadata": metadata}))
    if not deleting:
        found.append(Delete(kinds.PERSISTENT_VOLUME, "", objects.name(volume), objects.uid(volume)))
    return tuple(found)


def failed(volume: Object, message: str) -> RecordEvent:
    """Return what tells the user that the directory could not be removed."""
    return RecordEvent(volume, "Warning", "VolumeFailedDelete", message, parts.PROVISIONER)
