"""The kinds of storage.k8s.io besides StorageClass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import pvsources, selection, volumes

LONGEST_NODE_ID = 256
_IMMUTABLE = "field is immutable"
_PARAMETERS = 512
_PARAMETERS_SIZE = 256 * 1024
_MESSAGE_SIZE = 1024
_FIXED = {"attachRequired": "attachedRequired", "volumeLifecycleModes": "volumeLifecycleModes"}
"""What of a driver does not change, and how Kubernetes calls it then."""
_GROUP_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
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


def provisioner(obj: Object, field: str) -> Iterator[Cause]:
    """Yield what makes the field's value no name of what makes volumes; that it is needed says the schema."""
    if value := str(obj.get(field) or ""):
        for fault in names.qualified_name(value.lower()):
            yield causes.invalid(field, value.lower(), fault)


def allowed_topologies(terms: Sequence[dict[str, Any]]) -> Iterator[Cause]:
    """Yield what is wrong with the topologies of a class."""
    seen: list[dict[str, set[str]]] = []
    for index, term in enumerate(terms):
        path = f"allowedTopologies[{index}].matchLabelExpressions"
        meant: dict[str, set[str]] = {}
        for at, expression in enumerate(term.get("matchLabelExpressions") or ()):
            yield from _topology(expression, f"{path}[{at}]")
            key = str(expression.get("key") or "")
            if key in meant:
                yield causes.duplicate(f"{path}[{at}].key", key)
            meant[key] = set(expression.get("values") or ())
        if meant in seen:
            yield causes.duplicate(path, "")
        seen.append(meant)


def _topology(expression: dict[str, Any], path: str) -> Iterator[Cause]:
    values = expression.get("values") or []
    if not values:
        yield causes.required(f"{path}.values")
    for index, value in enumerate(values):
        if value in values[:index]:
            yield causes.duplicate(f"{path}.values[{index}]", value)
    key = str(expression.get("key") or "")
    yield from (causes.invalid(f"{path}.key", key, fault) for fault in names.qualified_name(key))


def volume_attributes_class(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a VolumeAttributesClass."""
    found: list[Cause] = []
    if old is not None:
        for field in ("driverName", "parameters"):
            if obj.get(field) != old.get(field):
                found.append(causes.forbidden(field, f"updates to {field} are forbidden."))
    found += [*provisioner(obj, "driverName"), *parameters_of(obj)]
    if not obj.get("parameters"):
        found.append(causes.required("parameters", "must contain at least one key/value pair"))
    return found


def volume_attachment(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a VolumeAttachment."""
    spec = objects.spec(obj)
    source = spec.get("source") or {}
    found = list(_attached(source))
    if found == [] and source.get("inlineVolumeSpec") is not None:
        found += pvsources.inline(source["inlineVolumeSpec"], "spec.source.inlineVolumeSpec")
    for fault in names.dns_subdomain(str(spec.get("nodeName") or "")):
        found.append(causes.invalid("spec.nodeName", spec.get("nodeName") or "", fault))
    if old is not None and spec != objects.spec(old):
        found.append(causes.invalid("spec", spec, _IMMUTABLE))
    if old is None:
        found += volumes.driver_name(str(spec.get("attacher") or ""), "spec.attacher")
        name = source.get("persistentVolumeName")
        if name is not None:
            where = "spec.source.persistentVolumeName"
            found += [causes.invalid(where, name, fault) for fault in names.dns_subdomain(name)]
    return found


def _attached(source: dict[str, Any]) -> Iterator[Cause]:
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        yield causes.required("spec.source", _EXACTLY_ONE)
    elif name is not None and inline is not None:
        yield causes.forbidden("spec.source", _EXACTLY_ONE)
    elif name == "":
        detail = "must specify non empty persistentVolumeName"
        yield causes.required("spec.source.persistentVolumeName", detail)


def attachment_status(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with the status of a VolumeAttachment."""
    del old
    status, found = objects.status(obj), list[Cause]()
    told = status.get("attachmentMetadata") or {}
    if sum(len(key.encode()) + len(value.encode()) for key, value in told.items()) > _PARAMETERS_SIZE:
        found.append(causes.too_long("status.attachmentMetadata", _PARAMETERS_SIZE))
    for field in ("attachError", "detachError"):
        error, path = status.get(field) or {}, f"status.{field}"
        if len((error.get("message") or "").encode()) > _MESSAGE_SIZE:
            found.append(causes.too_long(f"{path}.message", _PARAMETERS_SIZE))
        code = error.get("errorCode")
        if code is not None and code < 0:
            found.append(
                causes.invalid(f"{path}.errorCode", code, "must be between 0 and 2147483647, inclusive")
            )
    return found


def csi_driver(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a CSIDriver."""
    spec = objects.spec(obj)
    found = list(_driver(spec))
    for field, shown in _FIXED.items() if old is not None else ():
        if spec.get(field) != objects.spec(old or {}).get(field):
            found.append(causes.invalid(f"spec.{shown}", spec.get(field), _IMMUTABLE))
    return found


def _driver(spec: dict[str, Any]) -> Iterator[Cause]:
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in _GROUP_POLICIES:
        yield causes.unsupported("spec.fsGroupPolicy", policy, _GROUP_POLICIES)
    yield from _tokens(spec.get("tokenRequests") or ())
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in ("Persistent", "Ephemeral"):
            known = ["Persistent", "Ephemeral"]
            yield causes.unsupported("spec.volumeLifecycleModes", mode, known, in_order=True)
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        detail = "must be greater than or equal to 10 seconds"
        yield causes.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, detail)


def _tokens(requests: Sequence[dict[str, Any]]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, request in enumerate(requests):
        path, audience = f"spec.tokenRequests[{index}]", str(request.get("audience") or "")
        if audience in seen:
            yield causes.duplicate(f"{path}.audience", audience)
            continue
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
        found += _topology_keys(driver.get("topologyKeys") or [], path)
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


def _topology_keys(keys: list[str], path: str) -> Iterator[Cause]:
    for at, key in enumerate(keys):
        if not key:
            yield causes.required(path)
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
