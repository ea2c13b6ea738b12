"""The kinds of storage.k8s.io: classes of volumes, and what CSI drivers tell of themselves."""

from __future__ import annotations

import functools
from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import persistentvolume, storage


def _named(*annotations: str) -> Column:
    """Return a column with the name, and a mark on what an annotation makes the default."""

    def cell(obj: Object, _now: datetime) -> str:
        marked = any(objects.annotations(obj).get(each) == "true" for each in annotations)
        return f"{objects.name(obj)} (default)" if marked else objects.name(obj)

    return Column("Name", cell, format="name")


def _modes(obj: Object, _now: datetime) -> str:
    return cells.joined(objects.spec(obj).get("volumeLifecycleModes") or ())


def _audiences(obj: Object, _now: datetime) -> str:
    requests = objects.spec(obj).get("tokenRequests")
    return "<unset>" if requests is None else ",".join(each.get("audience", "") for each in requests)


_kind = functools.partial(Kind, "storage.k8s.io", "v1", namespaced=False, stored_only=True)

STORAGE_CLASS = Kind(
    "storage.k8s.io",
    "v1",
    "StorageClass",
    "storageclasses",
    namespaced=False,
    short_names=("sc",),
    validate=persistentvolume.storage_class,
    columns=(
        _named(
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ),
        Column("Provisioner", cells.text("provisioner")),
        Column("ReclaimPolicy", cells.text("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", cells.text("volumeBindingMode", "Immediate")),
        Column("AllowVolumeExpansion", cells.flag("allowVolumeExpansion")),
        cells.AGE,
    ),
)
VOLUME_ATTACHMENT = _kind(
    "VolumeAttachment",
    "volumeattachments",
    validate=storage.volume_attachment,
    subresources=frozenset({"status"}),
    parts={"status": storage.attachment_status},
    first_status={"attached": False},
    columns=(
        cells.NAME,
        Column("Attacher", cells.text("spec.attacher"), format="name"),
        Column("PV", cells.text("spec.source.persistentVolumeName")),
        Column("Node", cells.text("spec.nodeName")),
        Column("Attached", cells.flag("status.attached"), "boolean"),
        cells.AGE,
    ),
)
VOLUME_ATTRIBUTES_CLASS = _kind(
    "VolumeAttributesClass",
    "volumeattributesclasses",
    validate=storage.volume_attributes_class,
    short_names=("vac",),
    columns=(
        _named("storageclass.kubernetes.io/is-default-class"),
        Column("DriverName", cells.text("driverName")),
        cells.AGE,
    ),
)
CSI_DRIVER = _kind(
    "CSIDriver",
    "csidrivers",
    validate=storage.csi_driver,
    columns=(
        cells.NAME,
        Column("AttachRequired", cells.flag("spec.attachRequired", True), "boolean"),
        Column("PodInfoOnMount", cells.flag("spec.podInfoOnMount"), "boolean"),
        Column("StorageCapacity", cells.flag("spec.storageCapacity"), "boolean"),
        Column("TokenRequests", _audiences),
        Column("RequiresRepublish", cells.flag("spec.requiresRepublish"), "boolean"),
        Column("Modes", _modes),
        cells.AGE,
    ),
)
CSI_NODE = _kind(
    "CSINode",
    "csinodes",
    validate=storage.csi_node,
    columns=(cells.NAME, Column("Drivers", cells.size("spec.drivers"), "integer"), cells.AGE),
)
CSI_STORAGE_CAPACITY = _kind(
    "CSIStorageCapacity",
    "csistoragecapacities",
    validate=storage.csi_storage_capacity,
    namespaced=True,
    columns=(
        cells.NAME,
        Column("StorageClassName", cells.text("storageClassName")),
        Column("Capacity", cells.text("capacity", "<unset>")),
    ),
)
ALL = (
    CSI_DRIVER,
    CSI_NODE,
    CSI_STORAGE_CAPACITY,
    STORAGE_CLASS,
    VOLUME_ATTACHMENT,
    VOLUME_ATTRIBUTES_CLASS,
)
