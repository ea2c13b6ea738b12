"""The kinds of storage.k8s.io besides StorageClass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import selection, volumes

LONGEST_NODE_ID = 256
_IMMUTABLE = "field is immutable"
_PARAMETERS = 512
_PARAMETERS_SIZE = 256 * 1024
_EXACTLY_ONE = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def parameters_of(obj: Object) -> Iterator[Cause]:
    """Yield what is wrong with the parameters of a class."""
    parameters = obj.get("parameters") or {}
    if len(parameters) > _PARAMETERS:
        yield causes.too_long("parameters", _PARAMETERS)
        return
    if "" in parameters:
        yield causes.invalid("parameters", "", "field can not be empty.")
    if sum(len(key) + len(value) for key, value in parameters.items()) > _PARAMETERS_SIZE:
        yield causes.too_long("parameters", _PARAMETERS_SIZE)


def volume_attributes_class(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a VolumeAttributesClass."""
    parameters = obj.get("parameters") or {}
    driver = str(obj.get("driverName") or "")
    found = [*(volumes.driver_name(driver, "driverName") if driver else ()), *parameters_of(obj)]
    if not parameters:
        found.append(causes.required("parameters", "must contain at least one key/value pair"))
    if old is not None:
        for field in ("driverName", "parameters"):
            if obj.get(field) != old.get(field):
                found.append(causes.forbidden(field, f"updates to {field} are forbidden."))
    return found


def volume_attachment(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a VolumeAttachment."""
    spec = objects.spec(obj)
    found = list(_attached(spec))
    if old is not None and spec != objects.spec(old):
        found.append(causes.invalid("spec", spec, _IMMUTABLE))
    return found


def _attached(spec: dict[str, Any]) -> Iterator[Cause]:
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        yield causes.required("spec.source", _EXACTLY_ONE)
    elif name is not None and inline is not None:
        yield causes.forbidden("spec.source", _EXACTLY_ONE)
    elif name == "":
        detail = "must specify non empty persistentVolumeName"
        yield causes.required("spec.source.persistentVolumeName", detail)
    for fault in names.dns_subdomain(str(spec.get("nodeName") or "")):
        yield causes.invalid("spec.nodeName", spec.get("nodeName") or "", fault)
    yield from volumes.driver_name(str(spec.get("attacher") or ""), "spec.attacher")


def csi_driver(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a CSIDriver."""
    spec = objects.spec(obj)
    found = [*volumes.driver_name(objects.name(obj), "metadata.name"), *_driver(spec)]
    if old is not None and spec.get("attachRequired") != objects.spec(old).get("attachRequired"):
        found.append(causes.invalid("spec.attachedRequired", spec.get("attachRequired"), _IMMUTABLE))
    return found


def _driver(spec: dict[str, Any]) -> Iterator[Cause]:
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in ("Persistent", "Ephemeral"):
            known = ["Persistent", "Ephemeral"]
            yield causes.unsupported("spec.volumeLifecycleModes", mode, known)
    seen: set[str] = set()
    for index, request in enumerate(spec.get("tokenRequests") or ()):
        path, audience = f"spec.tokenRequests[{index}]", str(request.get("audience") or "")
        if audience in seen:
            yield causes.duplicate(f"{path}.audience", audience)
        seen.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            detail = "may not specify a duration less than 10 minutes"
            yield causes.invalid(f"{path}.expirationSeconds", seconds, detail)
        if seconds is not None and seconds > 1 << 32:
            detail = "may not specify a duration larger than 2^32 seconds"
            yield causes.invalid(f"{path}.expirationSeconds", seconds, detail)


def csi_node(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a CSINode."""
    found: list[Cause] = []
    seen: set[str] = set()
    drivers = objects.spec(obj).get("drivers") or ()
    for index, driver in enumerate(drivers):
        path, name = f"spec.drivers[{index}]", str(driver.get("name") or "")
        found += _node_driver(driver, path)
        if name in seen:
            found.append(causes.duplicate(f"{path}.name", name))
        seen.add(name)
    before = {each.get("name"): each for each in objects.spec(old or {}).get("drivers") or ()}
    for driver in drivers:
        known = before.get(driver.get("name"))
        if known is not None and {**known, "allocatable": None} != {**driver, "allocatable": None}:
            found.append(causes.invalid("spec.drivers", driver, _IMMUTABLE))
    return found


def _node_driver(driver: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from volumes.driver_name(str(driver.get("name") or ""), f"{path}.name")
    node = str(driver.get("nodeID") or "")
    if not node:
        yield causes.required(f"{path}.nodeID")
    if len(node) > LONGEST_NODE_ID:
        yield causes.invalid(f"{path}.nodeID", node, f"must be {LONGEST_NODE_ID} characters or less")
    count = (driver.get("allocatable") or {}).get("count")
    if count is not None and count < 0:
        yield causes.invalid(f"{path}.allocatable.count", count, "must be greater than or equal to 0")
    keys = driver.get("topologyKeys") or []
    for at, key in enumerate(keys):
        if key in keys[:at]:
            yield causes.duplicate(path, key)
        for fault in names.qualified_name(key):
            yield causes.invalid(path, key, fault)


def csi_storage_capacity(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a CSIStorageCapacity."""
    found: list[Cause] = []
    if obj.get("nodeTopology") is not None:
        found += selection.validate(obj["nodeTopology"], "nodeTopology")
    name = str(obj.get("storageClassName") or "")
    found += [causes.invalid("storageClassName", name, fault) for fault in names.dns_subdomain(name)]
    capacity = obj.get("capacity")
    if capacity is not None and quantity.compare(capacity, 0) < 0:
        found.append(causes.invalid("capacity", capacity, "must be greater than or equal to 0"))
    if old is not None:
        for field in ("nodeTopology", "storageClassName"):
            if obj.get(field) != old.get(field):
                found.append(causes.invalid(field, obj.get(field), _IMMUTABLE))
    return found
