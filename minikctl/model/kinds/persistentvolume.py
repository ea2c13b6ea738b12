"""PersistentVolume: storage that outlives pods."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import persistentvolume

_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_SHORT_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def access_modes(path: str) -> cells.Cell:
    """Return a cell that shows the access modes at the path."""

    def cell(obj: Object, _now: datetime) -> str:
        found = cells.at(obj, path) or ()
        return ",".join(short for mode, short in _SHORT_MODES.items() if mode in found)

    return cell


def phase(obj: Object, _now: datetime) -> str:
    """Return the phase that is shown."""
    return "Terminating" if objects.is_deleting(obj) else str(objects.status(obj).get("phase", ""))


def storage_class(obj: Object, _now: datetime) -> str:
    """Return the storage class, by the old annotation if that is there."""
    old = objects.annotations(obj).get(_OLD_CLASS)
    return old if old is not None else str(objects.spec(obj).get("storageClassName") or "")


def _claim(obj: Object, _now: datetime) -> str:
    claim = objects.spec(obj).get("claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


KIND = Kind(
    "",
    "v1",
    "PersistentVolume",
    "persistentvolumes",
    namespaced=False,
    short_names=("pv",),
    subresources=frozenset({"status"}),
    first_status={"phase": "Pending"},
    default=persistentvolume.default,
    validate=persistentvolume.validate,
    columns=(
        cells.NAME,
        Column("Capacity", cells.text("spec.capacity.storage", "0")),
        Column("Access Modes", access_modes("spec.accessModes")),
        Column("Reclaim Policy", cells.text("spec.persistentVolumeReclaimPolicy")),
        Column("Status", phase),
        Column("Claim", _claim),
        Column("StorageClass", storage_class),
        Column("VolumeAttributesClass", cells.text("spec.volumeAttributesClassName", "<unset>")),
        Column("Reason", cells.text("status.reason")),
        cells.AGE,
        Column("VolumeMode", cells.text("spec.volumeMode", "<unset>"), priority=1),
    ),
)
