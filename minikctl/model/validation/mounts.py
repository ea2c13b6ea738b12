"""What a container mounts, as files or as devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause
from minikctl.model.validation import paths

Volumes = Mapping[str, dict[str, Any]]
"""The volumes of the pod by name."""


def validate(container: dict[str, Any], path: str, mountable: Volumes) -> Iterator[Cause]:
    """Yield what is wrong with volumeMounts and volumeDevices."""
    devices = container.get("volumeDevices") or ()
    names = {each.get("name") for each in devices}
    device_paths = {each.get("devicePath") for each in devices}
    points: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{path}.volumeMounts[{index}]"
        point = str(mount.get("mountPath") or "")
        name = mount.get("name")
        if name and name not in mountable:
            yield causes.not_found(f"{where}.name", name)
        if point in points:
            yield causes.invalid(f"{where}.mountPath", point, "must be unique")
        points.add(point)
        if name in names:
            yield causes.invalid(f"{where}.name", name, "must not already exist in volumeDevices")
        if point in device_paths:
            yield causes.invalid(
                f"{where}.mountPath", point, "must not already exist as a path in volumeDevices"
            )
        yield from _sub_path(mount, where)
        yield from _propagation(mount, where, container)
    yield from _devices(container, path, mountable)


def _sub_path(mount: dict[str, Any], path: str) -> Iterator[Cause]:
    for field in ("subPath", "subPathExpr"):
        yield from paths.descending(str(mount.get(field) or ""), f"{path}.{field}")
    if mount.get("subPath") and mount.get("subPathExpr"):
        detail = "subPathExpr and subPath are mutually exclusive"
        yield causes.invalid(f"{path}.subPathExpr", mount["subPathExpr"], detail)


def _propagation(mount: dict[str, Any], path: str, container: dict[str, Any]) -> Iterator[Cause]:
    propagation = mount.get("mountPropagation")
    privileged = (container.get("securityContext") or {}).get("privileged")
    if propagation == "Bidirectional" and not privileged:
        detail = "Bidirectional mount propagation is available only to privileged containers"
        yield causes.forbidden(f"{path}.mountPropagation", detail)
    if mount.get("recursiveReadOnly") in ("Enabled", "IfPossible"):
        where = f"{path}.recursiveReadOnly"
        if not mount.get("readOnly"):
            yield causes.forbidden(where, "may only be specified when readOnly is true")
        if propagation not in (None, "None"):
            detail = "may only be specified when mountPropagation is None or not specified"
            yield causes.forbidden(where, detail)


def _devices(container: dict[str, Any], path: str, mountable: Volumes) -> Iterator[Cause]:
    mounts = container.get("volumeMounts") or ()
    mounted = {each.get("name") for each in mounts}
    places = {each.get("mountPath") for each in mounts}
    seen: set[str] = set()
    points: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or ()):
        where, name = f"{path}.volumeDevices[{index}]", str(device.get("name") or "")
        point = str(device.get("devicePath") or "")
        if name in seen:
            yield causes.invalid(f"{where}.name", name, "must be unique")
        seen.add(name)
        if ".." in point.split("/"):
            yield causes.invalid(f"{where}.devicePath", point, "can not contain backsteps ('..')")
        if point in points:
            yield causes.invalid(f"{where}.devicePath", point, "must be unique")
        points.add(point)
        if name and name not in mountable:
            yield causes.not_found(f"{where}.name", name)
        elif name and not {"persistentVolumeClaim", "ephemeral"} & set(mountable[name]):
            detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            yield causes.invalid(f"{where}.name", name, detail)
        if name in mounted:
            yield causes.invalid(f"{where}.name", name, "must not already exist in volumeMounts")
        if point in places:
            detail = "must not already exist as a path in volumeMounts"
            yield causes.invalid(f"{where}.devicePath", point, detail)
