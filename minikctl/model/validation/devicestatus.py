"""What drivers say of allocated devices: their status, and the conditions that a pod's binding waits for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.validation import volumes

MOST_CONDITIONS = 8
"""Of a device."""
MOST_BINDING = 4
"""Conditions that binding waits for, and as many that it fails by."""
MOST_ADDRESSES = 16
LONGEST_DATA = 10 * 1024
LONGEST_INTERFACE = 256
LONGEST_HARDWARE = 128
LONGEST_REASON = 1024
LONGEST_MESSAGE = 32 * 1024

_STATUSES = ("False", "True", "Unknown")
_REASON = re.compile("[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", re.ASCII)
_NO_REASON = (
    "a condition reason must start with alphabetic character, optionally followed by a string of "
    "alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name', "
    " or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
    f"'{_REASON.pattern}')"
)
_LONGEST_POOL = 253

Item = dict[str, Any]


def statuses(found: Sequence[Item], allocated: Sequence[Item], path: str) -> Iterator[Cause]:
    """Yield what is wrong with what is said of devices; each is one of those that the claim got."""
    known = {identity(each) for each in allocated}
    seen = set()
    for index, device in enumerate(found):
        where, name = f"{path}[{index}]", identity(device)
        yield from _status(device, where)
        if name not in known:
            yield causes.named(where, name, "must be an allocated device in the claim")
        if name in seen:
            yield causes.duplicate(where, name)
        seen.add(name)


def identity(device: Item) -> str:
    """Return what tells an allocated device, or a share of it, from others."""
    return "/".join(str(device[each]) for each in ("driver", "pool", "device", "shareID") if device.get(each))


def _status(device: Item, path: str) -> Iterator[Cause]:
    yield from volumes.driver_name(str(device.get("driver") or ""), f"{path}.driver")
    yield from pool_name(str(device.get("pool") or ""), f"{path}.pool")
    name = str(device.get("device") or "")
    yield from (causes.invalid(f"{path}.device", name, fault) for fault in names.dns_label(name))
    conditions = device.get("conditions") or ()
    if len(conditions) > MOST_CONDITIONS:
        yield causes.too_many(f"{path}.conditions", len(conditions), MOST_CONDITIONS)
    yield from all_conditions(conditions, f"{path}.conditions")
    data = device.get("data")
    if data is not None:
        yield from _data(data, f"{path}.data")
    yield from _network(device.get("networkData") or {}, f"{path}.networkData")


def pool_name(name: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no name of a pool."""
    if not name:
        yield causes.required(path)
        return
    if len(name) > _LONGEST_POOL:
        yield causes.too_long(path, _LONGEST_POOL)
    for part in name.split("/"):
        yield from (causes.invalid(path, part, fault) for fault in names.dns_subdomain(part))


def _data(data: Any, path: str) -> Iterator[Cause]:
    if len(orjson.dumps(data)) > LONGEST_DATA:
        yield causes.too_long(path, LONGEST_DATA)
    elif not isinstance(data, dict):
        yield causes.invalid(path, "<value omitted>", "must be a valid JSON object")


def _network(data: Item, path: str) -> Iterator[Cause]:
    limits = (("interfaceName", LONGEST_INTERFACE), ("hardwareAddress", LONGEST_HARDWARE))
    for field, limit in limits:
        if len(data.get(field) or "") > limit:
            yield causes.too_long(f"{path}.{field}", limit)
    addresses = data.get("ips") or ()
    if len(addresses) > MOST_ADDRESSES:
        yield causes.too_many(f"{path}.ips", len(addresses), MOST_ADDRESSES)
        return
    for index, address in enumerate(addresses):
        where = f"{path}.ips[{index}]"
        if fault := _interface_address(address):
            yield causes.invalid(where, address, fault)
        if address in addresses[:index]:
            yield causes.duplicate(where, address)


def _interface_address(text: str) -> str:
    """Return what makes the text no address of an interface with the length of its prefix."""
    try:
        address, _, length = text.partition("/")
        # Leading zeros are read, as by Kubernetes, and then told.
        plain = ".".join(str(int(each)) for each in address.split(".")) if ":" not in address else address
        found = ipaddress.ip_interface(f"{plain}/{int(length)}")
    except ValueError:
        return "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
    return "" if str(found) == text else f'must be in canonical form ("{found}")'


def all_conditions(found: Sequence[Item], path: str) -> Iterator[Cause]:
    """Yield what is wrong with conditions of ``metav1.Condition``, each type once."""
    seen = set()
    for index, condition in enumerate(found):
        where, kind = f"{path}[{index}]", str(condition.get("type") or "")
        if kind in seen:
            yield causes.duplicate(f"{where}.type", kind)
        seen.add(kind)
        yield from (causes.invalid(f"{where}.type", kind, fault) for fault in names.qualified_name(kind))
        yield from _condition(condition, where)


def _condition(condition: Item, path: str) -> Iterator[Cause]:
    status, reason = condition.get("status") or "", str(condition.get("reason") or "")
    if status not in _STATUSES:
        yield causes.unsupported(f"{path}.status", status, _STATUSES)
    if (condition.get("observedGeneration") or 0) < 0:
        detail = "must be greater than or equal to zero"
        yield causes.invalid(f"{path}.observedGeneration", condition["observedGeneration"], detail)
    if not condition.get("lastTransitionTime"):
        yield causes.required(f"{path}.lastTransitionTime", "must be set")
    if not reason:
        yield causes.required(f"{path}.reason", "must be set")
    elif not _REASON.fullmatch(reason):
        yield causes.invalid(f"{path}.reason", reason, _NO_REASON)
    if len(reason) > LONGEST_REASON:
        yield causes.too_long(f"{path}.reason", LONGEST_REASON)
    if len(condition.get("message") or "") > LONGEST_MESSAGE:
        yield causes.too_long(f"{path}.message", LONGEST_MESSAGE)


def binding(item: Item, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the conditions that binding to a device waits for, or fails by."""
    waits, fails = item.get("bindingConditions") or [], item.get("bindingFailureConditions") or []
    for field, found in (("bindingConditions", waits), ("bindingFailureConditions", fails)):
        where = f"{path}.{field}"
        if len(found) > MOST_BINDING:
            yield causes.too_many(where, len(found), MOST_BINDING)
            continue
        for index, name in enumerate(found):
            here = f"{where}[{index}]"
            yield from (causes.invalid(here, name, fault) for fault in names.qualified_name(name))
            if name in found[:index]:
                yield causes.duplicate(here, name)
            if found is fails and name in waits:
                yield causes.invalid(here, name, f"{field} must not overlap with bindingConditions")
    if fails and not waits:
        detail = "bindingConditions are required to use bindingFailureConditions"
        yield causes.invalid(f"{path}.bindingConditions", waits, detail)
    if waits and not fails:
        detail = "bindingFailureConditions are required to use bindingConditions"
        yield causes.invalid(f"{path}.bindingFailureConditions", fails, detail)
