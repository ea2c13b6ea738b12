"""Volumes in descriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minikctl.cli.output.describing import clouds
from minikctl.cli.output.describing.sheet import Sheet

Object = dict[str, Any]


def volumes(sheet: Sheet, found: list[Object] | None, margin: str) -> None:
    """Write a pod's volumes."""
    if not found:
        sheet.row(0, f"{margin}Volumes:", "<none>")
        return
    sheet.row(0, f"{margin}Volumes:")
    name_margin = f"{margin} " if margin else "  "
    for volume in found:
        sheet.row(0, f"{name_margin}{volume['name']}:")
        if not source(sheet, volume, of_volume=False):
            sheet.row(2, "<unknown>")


def source(sheet: Sheet, found: Object, *, of_volume: bool) -> bool:
    """Write where a volume is from; False for a type without a layout. ``of_volume``: it is a PersistentVolume."""
    for key in found:
        if key in SOURCES:
            SOURCES[key](sheet, found[key])
            return True
        if key in clouds.LAYOUTS:
            clouds.show(sheet, key, found[key], of_volume=of_volume)
            return True
    return False


def _optional(source: Object) -> str:
    return str(bool(source.get("optional"))).lower()


def _empty_dir(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "EmptyDir (a temporary directory that shares a pod's lifetime)")
    sheet.row(2, "Medium:", source.get("medium", ""))
    sheet.row(2, "SizeLimit:", source.get("sizeLimit") or "<unset>")


def _host_path(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "HostPath (bare host directory volume)")
    sheet.row(2, "Path:", source.get("path", ""))
    sheet.row(2, "HostPathType:", source.get("type", "") if "type" in source else "<none>")


def _secret(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "Secret (a volume populated by a Secret)")
    sheet.row(2, "SecretName:", source.get("secretName", ""))
    sheet.row(2, "Optional:", _optional(source))


def _config_map(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "ConfigMap (a volume populated by a ConfigMap)")
    sheet.row(2, "Name:", source.get("name", ""))
    sheet.row(2, "Optional:", _optional(source))


def _downward(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "DownwardAPI (a volume populated by information about the pod)")
    sheet.row(2, "Items:")
    _items(sheet, source)


def _items(sheet: Sheet, source: Object) -> None:
    for item in source.get("items") or ():
        for key, field in (("fieldRef", "fieldPath"), ("resourceFieldRef", "resource")):
            if key in item:
                sheet.row(3, f"{item[key].get(field, '')} -> {item.get('path', '')}")


def _projected(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "Projected (a volume that contains injected data from multiple sources)")
    for part in source.get("sources") or ():
        if "secret" in part:
            sheet.row(2, "SecretName:", part["secret"].get("name", ""))
            sheet.row(2, "Optional:", _optional(part["secret"]))
        elif "downwardAPI" in part:
            sheet.row(2, "DownwardAPI:", "true")
        elif "configMap" in part:
            sheet.row(2, "ConfigMapName:", part["configMap"].get("name", ""))
            sheet.row(2, "Optional:", _optional(part["configMap"]))
        elif "serviceAccountToken" in part:
            seconds = part["serviceAccountToken"].get("expirationSeconds", 3600)
            sheet.row(2, "TokenExpirationSeconds:", seconds)


def _claim(sheet: Sheet, source: Object) -> None:
    kind = "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"
    sheet.row(2, "Type:", kind)
    sheet.row(2, "ClaimName:", source.get("claimName", ""))
    sheet.row(2, "ReadOnly:", str(bool(source.get("readOnly"))).lower())


def _nfs(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "NFS (an NFS mount that lasts the lifetime of a pod)")
    sheet.row(2, "Server:", source.get("server", ""))
    sheet.row(2, "Path:", source.get("path", ""))
    sheet.row(2, "ReadOnly:", str(bool(source.get("readOnly"))).lower())


def _csi(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "CSI (a Container Storage Interface (CSI) volume source)")
    sheet.row(2, "Driver:", source.get("driver", ""))
    sheet.row(2, "FSType:", source.get("fsType", ""))
    if "volumeHandle" in source:
        sheet.row(2, "VolumeHandle:", source["volumeHandle"])
    sheet.row(2, "ReadOnly:", str(bool(source.get("readOnly"))).lower())
    lines = [f"{key}={value}" for key, value in sorted((source.get("volumeAttributes") or {}).items())]
    sheet.row(2, "VolumeAttributes:", f"    {lines[0]}" if lines else "<none>")
    for line in lines[1:]:
        sheet.row(2, "", f"    {line}")


def _local(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "LocalVolume (a persistent volume backed by local storage on a node)")
    sheet.row(2, "Path:", source.get("path", ""))


def _image(sheet: Sheet, source: Object) -> None:
    sheet.row(2, "Type:", "Image (a container image or OCI artifact)")
    sheet.row(2, "Reference:", source.get("reference", ""))
    sheet.row(2, "PullPolicy:", source.get("pullPolicy", ""))


def _ephemeral(sheet: Sheet, source: Object) -> None:
    kind = "an inline specification for a volume that gets created and deleted with the pod"
    sheet.row(2, "Type:", f"EphemeralVolume ({kind})")
    template = source.get("volumeClaimTemplate") or {}
    spec, metadata = template.get("spec") or {}, template.get("metadata") or {}
    if spec.get("storageClassName") is not None:
        sheet.row(2, "StorageClass:", spec["storageClassName"])
    sheet.row(2, "Volume:", spec.get("volumeName") or "")
    _spaced(sheet, "    Labels:            ", metadata.get("labels"))
    _spaced(sheet, "    Annotations:       ", metadata.get("annotations"))
    sheet.row(2, "Capacity:", "")
    sheet.row(2, "Access Modes:", "")
    if spec.get("volumeMode"):
        sheet.row(2, "VolumeMode:", spec["volumeMode"])


def _spaced(sheet: Sheet, title: str, found: dict[str, str] | None) -> None:
    """Write a map beside a title that belongs to no column: kubectl puts spaces there."""
    lines = [f"{key}={value}" for key, value in sorted((found or {}).items())]
    sheet.row(0, title + (lines[0] if lines else "<none>"))
    for line in lines[1:]:
        sheet.row(0, " " * len(title) + line)


SOURCES: dict[str, Callable[[Sheet, Object], None]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
    "persistentVolumeClaim": _claim,
    "nfs": _nfs,
    "csi": _csi,
    "local": _local,
    "image": _image,
    "ephemeral": _ephemeral,
}
