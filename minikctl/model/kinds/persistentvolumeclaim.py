"""PersistentVolumeClaim: a namespace's claim to a PersistentVolume."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.kinds.persistentvolume import access_modes, phase, storage_class
from minikctl.model.objects import Object
from minikctl.model.validation import claims, persistentvolume


def _capacity(obj: Object, _now: datetime) -> str:
    if not objects.spec(obj).get("volumeName"):
        return ""
    return str(cells.at(obj, "status.capacity.storage") or "0")


def _modes(obj: Object, now: datetime) -> str:
    if not objects.spec(obj).get("volumeName"):
        return ""
    return str(access_modes("status.accessModes")(obj, now))


KIND = Kind(
    "",
    "v1",
    "PersistentVolumeClaim",
    "persistentvolumeclaims",
    short_names=("pvc",),
    subresources=frozenset({"status"}),
    first_status={"phase": "Pending"},
    default=claims.complete_sources,
    validate=persistentvolume.claim,
    columns=(
        cells.NAME,
        Column("Status", phase),
        Column("Volume", cells.text("spec.volumeName")),
        Column("Capacity", _capacity),
        Column("Access Modes", _modes),
        Column("StorageClass", storage_class),
        Column("VolumeAttributesClass", cells.text("spec.volumeAttributesClassName", "<unset>")),
        cells.AGE,
        Column("VolumeMode", cells.text("spec.volumeMode", "<unset>"), priority=1),
    ),
)
