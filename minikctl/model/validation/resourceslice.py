"""ResourceSlice: which devices a driver offers on which nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import affinity, devices, devicestatus, volumes

MOST_DEVICES = 128
MOST_VALUES = 32
"""Of a device's attributes and capacities together."""
LONGEST_VALUE = 64

_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_NUMBER, _TAG = r"(0|[1-9]\d*)", r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_TAG}(\.{_TAG})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
)


def resource_slice(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ResourceSlice; whose it is never changes."""
    return list(_slice(objects.spec(obj), old))


def _slice(spec: devices.Item, old: Object | None) -> Iterator[Cause]:
    pool = spec.get("pool") or {}
    yield from volumes.driver_name(str(spec.get("driver") or ""), "spec.driver")
    yield from devicestatus.pool_name(str(pool.get("name") or ""), "spec.pool.name")
    if (pool.get("resourceSliceCount") or 0) <= 0:
        count = pool.get("resourceSliceCount") or 0
        yield causes.invalid("spec.pool.resourceSliceCount", count, "must be greater than zero")
    if (pool.get("generation") or 0) < 0:
        detail = "must be greater than or equal to zero"
        yield causes.invalid("spec.pool.generation", pool["generation"], detail)
    for path, value in (
        ("spec.pool.name", pool.get("name")),
        ("spec.driver", spec.get("driver")),
        ("spec.nodeName", spec.get("nodeName")),
    ):
        yield from devices.unchanged(value, old, path)
    yield from _place(spec)
    found = spec.get("devices")
    if found and spec.get("sharedCounters"):
        yield causes.invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed")
    heavy = any(each.get("taints") or each.get("consumesCounters") for each in found or ())
    most = MOST_DEVICES // 2 if heavy else MOST_DEVICES
    yield from devices.unique(found, "spec.devices", _device, "name", most)
    yield from devices.unique(spec.get("sharedCounters"), "spec.sharedCounters", _counters, "name")


def _counters(group: devices.Item, path: str) -> Iterator[Cause]:
    name, counters = str(group.get("name") or ""), group.get("counters") or {}
    if name:
        yield from devices.label(name, f"{path}.name")
    else:
        yield causes.required(f"{path}.name")
    if not counters:
        yield causes.required(f"{path}.counters")
    for counter in counters:
        yield from devices.label(counter, f"{path}.counters")


def _place(spec: devices.Item) -> Iterator[Cause]:
    places = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
    given = [each for each in places if spec.get(each)]
    if not given:
        yield causes.required("spec", _WHERE)
    elif len(given) > 1:
        shown = f"{{{', '.join(f'`{each}`' for each in given)}}}"
        yield causes.invalid("spec", shown, f"{_WHERE}, but multiple fields are set")
    if spec.get("nodeName") == "":
        yield causes.invalid("spec.nodeName", "", "must be either unset or set to a non-empty string")
    for each in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(each) is False:
            yield causes.invalid(f"spec.{each}", False, "must be either unset or set to true")
    for fault in names.dns_subdomain(spec["nodeName"]) if spec.get("nodeName") else ():
        yield causes.invalid("spec.nodeName", spec["nodeName"], fault)
    selector = spec.get("nodeSelector")
    if selector:
        yield from affinity.node_selector(selector, "spec.nodeSelector")
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            detail = "must have exactly one node selector term"
            yield causes.invalid("spec.nodeSelector.nodeSelectorTerms", terms, detail)


def _device(device: devices.Item, path: str) -> Iterator[Cause]:
    yield from devices.label(str(device.get("name") or ""), f"{path}.name")
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    for name, value in attributes.items():
        where = f"{path}.attributes[{name}]"
        yield from devices.attribute(name, where)
        yield from _value(value, where)
    for name in capacity:
        yield from devices.attribute(name, f"{path}.capacity[{name}]")
    if len(attributes) + len(capacity) > MOST_VALUES:
        detail = f"the total number of attributes and capacities must not exceed {MOST_VALUES}"
        yield causes.invalid(path, len(attributes) + len(capacity), detail)
    yield from devicestatus.binding(device, path)
    yield from devices.each_of(device.get("taints"), f"{path}.taints", _taint, devices.MOST_TOLERATIONS)


def _value(value: devices.Item, path: str) -> Iterator[Cause]:
    text, version = value.get("string"), value.get("version")
    if text is not None and len(text) > LONGEST_VALUE:
        yield causes.too_long(f"{path}.string", LONGEST_VALUE)
    if version is not None and not _SEMVER.fullmatch(version):
        detail = "must be a string compatible with semver.org spec 2.0.0"
        yield causes.invalid(f"{path}.version", version, detail)
    if version is not None and len(version) > LONGEST_VALUE:
        yield causes.too_long(f"{path}.version", LONGEST_VALUE)
    given = sum(value.get(each) is not None for each in ("bool", "int", "string", "version"))
    if given == 0:
        yield causes.required(path, "exactly one value must be specified")
    elif given > 1:
        yield causes.invalid(path, value, "exactly one value must be specified")


def _taint(taint: devices.Item, path: str) -> Iterator[Cause]:
    key, value, effect = taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
    yield from (causes.invalid(f"{path}.key", key, fault) for fault in names.qualified_name(key))
    yield from (causes.invalid(f"{path}.value", value, fault) for fault in names.label_value(value))
    if not effect:
        yield causes.required(f"{path}.effect")
    elif effect not in devices.EFFECTS:
        yield causes.unsupported(f"{path}.effect", effect, devices.EFFECTS)
