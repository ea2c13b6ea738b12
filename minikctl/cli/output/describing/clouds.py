"""Volumes of clouds and of storage systems that no pod here mounts, as kubectl shows them (its ``pkg/describe``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from minikctl.cli.output.describing.sheet import Sheet

Object = dict[str, Any]
UNSET = "<unset>"
NONE = "<none>"


class Row(NamedTuple):
    """A line: its title, the field whose value stands there, how that is written, and whether only for volumes."""

    title: str
    field: str
    show: Callable[[Any], str]
    of_volumes: bool = False
    """Only PersistentVolumes have the line, not the volumes of pods."""


def text(value: Any) -> str:
    """Return a text or number; nothing when it is not set."""
    return "" if value is None else str(value)


def truth(value: Any) -> str:
    """Return true or false, false when it is not set."""
    return str(bool(value)).lower()


def number(value: Any) -> str:
    """Return a number, 0 when it is not set."""
    return str(value or 0)


def listed(value: Any) -> str:
    """Return a list as Go prints one."""
    return f"[{' '.join(value or ())}]"


def mapped(value: Any) -> str:
    """Return a map as Go prints one."""
    return f"map[{' '.join(f'{key}:{each}' for key, each in sorted((value or {}).items()))}]"


def joined(value: Any) -> str:
    """Return a list with commas."""
    return ", ".join(value or ())


def reference(value: Any) -> str:
    """Return a reference to a Secret as the generated code of Kubernetes prints one."""
    if value is None:
        return "nil"
    name = value.get("name", "")
    if "namespace" in value:
        return f"&SecretReference{{Name:{name},Namespace:{value['namespace']},}}"
    return f"&LocalObjectReference{{Name:{name},}}"


def otherwise(default: str) -> Callable[[Any], str]:
    """Return what writes a value, and ``default`` when it is not set."""
    return lambda value: default if value is None else str(value)


READ_ONLY = Row("ReadOnly:", "readOnly", truth)
FS_TYPE = Row("FSType:", "fsType", text)
SECRET = Row("SecretRef:", "secretRef", reference)

LAYOUTS: Mapping[str, tuple[str, tuple[Row, ...]]] = {
    "gcePersistentDisk": (
        "GCEPersistentDisk (a Persistent Disk resource in Google Compute Engine)",
        (Row("PDName:", "pdName", text), FS_TYPE, Row("Partition:", "partition", number), READ_ONLY),
    ),
    "awsElasticBlockStore": (
        "AWSElasticBlockStore (a Persistent Disk resource in AWS)",
        (Row("VolumeID:", "volumeID", text), FS_TYPE, Row("Partition:", "partition", number), READ_ONLY),
    ),
    "gitRepo": (
        "GitRepo (a volume that is pulled from git when the pod is created)",
        (Row("Repository:", "repository", text), Row("Revision:", "revision", text)),
    ),
    "iscsi": (
        "ISCSI (an ISCSI Disk resource that is attached to a kubelet's host machine and then exposed to the pod)",
        (
            Row("TargetPortal:", "targetPortal", text),
            Row("IQN:", "iqn", text),
            Row("Lun:", "lun", number),
            Row("ISCSIInterface", "iscsiInterface", text),
            FS_TYPE,
            READ_ONLY,
            Row("Portals:", "portals", listed),
            Row("DiscoveryCHAPAuth:", "chapAuthDiscovery", truth),
            Row("SessionCHAPAuth:", "chapAuthSession", truth),
            SECRET,
            Row("InitiatorName:", "initiatorName", otherwise(NONE)),
        ),
    ),
    "glusterfs": (
        "Glusterfs (a Glusterfs mount on the host that shares a pod's lifetime)",
        (
            Row("EndpointsName:", "endpoints", text),
            Row("EndpointsNamespace:", "endpointsNamespace", otherwise(UNSET), of_volumes=True),
            Row("Path:", "path", text),
            READ_ONLY,
        ),
    ),
    "rbd": (
        "RBD (a Rados Block Device mount on the host that shares a pod's lifetime)",
        (
            Row("CephMonitors:", "monitors", listed),
            Row("RBDImage:", "image", text),
            FS_TYPE,
            Row("RBDPool:", "pool", text),
            Row("RadosUser:", "user", text),
            Row("Keyring:", "keyring", text),
            SECRET,
            READ_ONLY,
        ),
    ),
    "quobyte": (
        "Quobyte (a Quobyte mount on the host that shares a pod's lifetime)",
        (Row("Registry:", "registry", text), Row("Volume:", "volume", text), READ_ONLY),
    ),
    "azureDisk": (
        "AzureDisk (an Azure Data Disk mount on the host and bind mount to the pod)",
        (
            Row("DiskName:", "diskName", text),
            Row("DiskURI:", "diskURI", text),
            Row("Kind: ", "kind", text),
            FS_TYPE,
            Row("CachingMode:", "cachingMode", text),
            READ_ONLY,
        ),
    ),
    "vsphereVolume": (
        "vSphereVolume (a Persistent Disk resource in vSphere)",
        (
            Row("VolumePath:", "volumePath", text),
            FS_TYPE,
            Row("StoragePolicyName:", "storagePolicyName", text),
        ),
    ),
    "cinder": (
        "Cinder (a Persistent Disk resource in OpenStack)",
        (Row("VolumeID:", "volumeID", text), FS_TYPE, READ_ONLY, SECRET),
    ),
    "photonPersistentDisk": (
        "PhotonPersistentDisk (a Persistent Disk resource in photon platform)",
        (Row("PdID:", "pdID", text), FS_TYPE),
    ),
    "portworxVolume": (
        "PortworxVolume (a Portworx Volume resource)",
        (Row("VolumeID:", "volumeID", text),),
    ),
    "cephfs": (
        "CephFS (a CephFS mount on the host that shares a pod's lifetime)",
        (
            Row("Monitors:", "monitors", listed),
            Row("Path:", "path", text),
            Row("User:", "user", text),
            Row("SecretFile:", "secretFile", text),
            SECRET,
            READ_ONLY,
        ),
    ),
    "storageos": (
        "StorageOS (a StorageOS Persistent Disk resource)",
        (
            Row("VolumeName:", "volumeName", text),
            Row("VolumeNamespace:", "volumeNamespace", text),
            FS_TYPE,
            READ_ONLY,
        ),
    ),
    "fc": (
        "FC (a Fibre Channel disk)",
        (
            Row("TargetWWNs:", "targetWWNs", joined),
            Row("LUN:", "lun", otherwise(NONE)),
            FS_TYPE,
            READ_ONLY,
        ),
    ),
    "azureFile": (
        "AzureFile (an Azure File Service mount on the host and bind mount to the pod)",
        (
            Row("SecretName:", "secretName", text),
            Row("SecretNamespace:", "secretNamespace", text, of_volumes=True),
            Row("ShareName:", "shareName", text),
            READ_ONLY,
        ),
    ),
    "flexVolume": (
        "FlexVolume (a generic volume resource that is provisioned/attached using an exec based plugin)",
        (Row("Driver:", "driver", text), FS_TYPE, SECRET, READ_ONLY, Row("Options:", "options", mapped)),
    ),
    "flocker": (
        "Flocker (a Flocker volume mounted by the Flocker agent)",
        (Row("DatasetName:", "datasetName", text), Row("DatasetUUID:", "datasetUUID", text)),
    ),
    "scaleIO": (
        "ScaleIO (a persistent volume backed by a block device in ScaleIO)",
        (
            Row("Gateway:", "gateway", text),
            Row("System:", "system", text),
            Row("Protection Domain:", "protectionDomain", text),
            Row("Storage Pool:", "storagePool", text),
            Row("Storage Mode:", "storageMode", text),
            Row("VolumeName:", "volumeName", text),
            Row("SecretName:", "secretRef", lambda ref: text((ref or {}).get("name")), of_volumes=True),
            Row(
                "SecretNamespace:",
                "secretRef",
                lambda ref: text((ref or {}).get("namespace")),
                of_volumes=True,
            ),
            FS_TYPE,
            READ_ONLY,
        ),
    ),
}
"""For each type of volume its sentence and its lines."""


def show(sheet: Sheet, kind: str, source: Object, *, of_volume: bool) -> None:
    """Write a volume's source; ``of_volume``: it is a PersistentVolume's."""
    sentence, rows = LAYOUTS[kind]
    sheet.row(2, "Type:", sentence)
    for row in rows:
        if of_volume or not row.of_volumes:
            sheet.row(2, row.title, row.show(source.get(row.field)))
