"""DeviceClass, ResourceClaim and its template, ResourceSlice: Kubernetes' rules of what they may say."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from minikctl.model import causes, metadata, names, objects
from minikctl.model.cel import engine
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import affinity, devicestatus, resources, volumes

MOST = 32
"""Of requests, constraints, configurations and selectors."""
MOST_ALTERNATIVES = 8
MOST_TOLERATIONS = 16
MOST_CONSUMERS = 256
LONGEST_TEXT = 10 * 1024
"""Of a CEL expression, and of parameters that only a driver understands."""
LONGEST_ID = 32
SELECTING: engine.Variables = (("device", "dyn"),)
"""What a selector's expression sees."""

_SOURCES = ("FromClaim", "FromClass")
_MODES = ("All", "ExactCount")
EFFECTS = ("NoExecute", "NoSchedule")
_REFERENCE = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)
_ONE = "exactly one of `exactly` or `firstAvailable` is required"
_IDENTIFIER = re.compile("[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NO_IDENTIFIER = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is "
    "'[A-Za-z_][A-Za-z0-9_]*')"
)

Item = dict[str, Any]
Check = Callable[[Any, str], Iterable[Cause]]


def default_claim(obj: Object) -> None:
    """Complete a ResourceClaim: one device, exactly, unless it says otherwise."""
    _default(objects.spec(obj))


def default_template(obj: Object) -> None:
    """Complete a ResourceClaimTemplate as the claims that are made from it."""
    _default(objects.spec(obj).get("spec") or {})


def _default(spec: Item) -> None:
    for request in (spec.get("devices") or {}).get("requests") or ():
        for each in (request.get("exactly"), *(request.get("firstAvailable") or ())):
            if each is None:
                continue
            if not each.get("allocationMode"):
                each["allocationMode"] = "ExactCount"
            if each["allocationMode"] == "ExactCount" and not each.get("count"):
                each["count"] = 1
            for toleration in each.get("tolerations") or ():
                if not toleration.get("operator"):
                    toleration["operator"] = "Equal"


def device_class(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a DeviceClass."""
    spec = objects.spec(obj)
    found = list(each_of(spec.get("selectors"), "spec.selectors", _selector))
    found += each_of(spec.get("config"), "spec.config", _opaque)
    name = spec.get("extendedResourceName")
    if name is not None and not (resources.is_extended(name) and not names.qualified_name(name)):
        found.append(
            causes.invalid("spec.extendedResourceName", name, "must be a valid extended resource name")
        )
    return found


def claim(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ResourceClaim; its spec never changes."""
    spec = objects.spec(obj)
    found = [*unchanged(spec, old, "spec"), *_claim(spec, "spec")]
    return [*found, *_claim_status(obj, old)]


def template(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ResourceClaimTemplate, which never changes."""
    spec = objects.spec(obj)
    if old is not None:
        return list(unchanged(spec, old, "spec"))
    faults = metadata.of_template(spec.get("metadata") or {}, "spec.metadata")
    return [*faults, *_claim(spec.get("spec") or {}, "spec.spec")]


def unchanged(value: Any, old: Object | None, path: str) -> Iterator[Cause]:
    """Yield what says that the field of an update has another value than before."""
    before: Any = old
    for part in path.split("."):
        before = (before or {}).get(part)
    if old is not None and value != before:
        yield causes.invalid(path, value, "field is immutable")


def each_of(found: Sequence[Any] | None, path: str, check: Check, most: int = MOST) -> Iterator[Cause]:
    """Yield what is wrong with each item, and with there being too many."""
    items = found or ()
    for index, item in enumerate(items):
        yield from check(item, f"{path}[{index}]")
    if len(items) > most:
        yield causes.too_many(path, len(items), most)


def unique(
    found: Sequence[Any] | None, path: str, check: Check, key: str = "", most: int = MOST
) -> Iterator[Cause]:
    """Yield what is wrong with each item, and with two of the same ``key``."""
    yield from each_of(found, path, check, most)
    seen = set()
    for index, item in enumerate(found or ()):
        name = str(item.get(key) or "") if key else item
        if name in seen:
            yield causes.duplicate(f"{path}[{index}].{key}" if key else f"{path}[{index}]", name)
        seen.add(name)


def _claim(spec: Item, path: str) -> Iterator[Cause]:
    devices, path = spec.get("devices") or {}, f"{path}.devices"
    known = _references(devices)

    reference = functools.partial(_reference, known=known)

    def constraint(item: Item, where: str) -> Iterator[Cause]:
        yield from unique(item.get("requests"), f"{where}.requests", reference)
        kinds = [each for each in ("matchAttribute", "distinctAttribute") if item.get(each) is not None]
        for each in kinds or ["matchAttribute"]:
            yield from _qualified(item.get(each), f"{where}.{each}")

    def config(item: Item, where: str) -> Iterator[Cause]:
        yield from unique(item.get("requests"), f"{where}.requests", reference)
        yield from _opaque(item, where)

    yield from unique(devices.get("requests"), f"{path}.requests", _request, "name")
    yield from each_of(devices.get("constraints"), f"{path}.constraints", constraint)
    yield from each_of(devices.get("config"), f"{path}.config", config)


def _reference(name: str, where: str, *, known: set[str]) -> Iterator[Cause]:
    parts = name.split("/")
    for part in parts if len(parts) < 3 else ():
        yield from label(part, where)
    if name not in known:
        yield causes.invalid(where, name, _REFERENCE)


def _references(devices: Item) -> set[str]:
    found = set()
    for request in devices.get("requests") or ():
        name = str(request.get("name") or "")
        found.add(name)
        found |= {f"{name}/{each.get('name')}" for each in request.get("firstAvailable") or ()}
    return found


def label(name: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no DNS label."""
    yield from (causes.invalid(path, name, fault) for fault in names.dns_label(name))


def _request(request: Item, path: str) -> Iterator[Cause]:
    yield from label(str(request.get("name") or ""), f"{path}.name")
    exactly, several = request.get("exactly"), request.get("firstAvailable")
    if exactly is None and not several:
        yield causes.required(path, _ONE)
    elif exactly is not None and several:
        yield causes.invalid(path, None, f"{_ONE}, but multiple fields are set")
    elif several:
        yield from unique(several, f"{path}.firstAvailable", _alternative, "name", MOST_ALTERNATIVES)
    else:
        yield from _wanted(exactly or {}, f"{path}.exactly")


def _alternative(item: Item, path: str) -> Iterator[Cause]:
    yield from label(str(item.get("name") or ""), f"{path}.name")
    yield from _wanted(item, path)


def _wanted(item: Item, path: str) -> Iterator[Cause]:
    name, where = item.get("deviceClassName") or "", f"{path}.deviceClassName"
    if not name:
        yield causes.required(where)
    else:
        yield from (causes.invalid(where, name, fault) for fault in names.dns_subdomain(name))
    yield from each_of(item.get("selectors"), f"{path}.selectors", _selector)
    mode, count = item.get("allocationMode"), item.get("count") or 0
    if mode not in _MODES:
        yield causes.unsupported(f"{path}.allocationMode", mode, _MODES)
    elif mode == "All" and count:
        yield causes.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount" and count <= 0:
        yield causes.invalid(f"{path}.count", count, "must be greater than zero")
    yield from each_of(item.get("tolerations"), f"{path}.tolerations", _toleration, MOST_TOLERATIONS)


def _selector(selector: Item, path: str) -> Iterator[Cause]:
    if selector.get("cel") is None:
        yield causes.required(f"{path}.cel")
        return
    source, where = str(selector["cel"].get("expression") or ""), f"{path}.cel.expression"
    if len(source) > LONGEST_TEXT:
        yield causes.too_long(where, LONGEST_TEXT)
        return
    try:
        found = engine.compile(source, SELECTING).type
    except engine.CompileError as error:
        yield causes.invalid(where, source, f"compilation failed: {error}")
        return
    if found not in ("bool", "dyn"):
        yield causes.invalid(where, source, f"must evaluate to bool or the unknown type, not {found}")


def _toleration(item: Item, path: str) -> Iterator[Cause]:
    key, value, operator = item.get("key") or "", item.get("value") or "", item.get("operator")
    if key:
        yield from (causes.invalid(f"{path}.key", key, fault) for fault in names.qualified_name(key))
    if operator == "Exists":
        if value:
            yield causes.invalid(f"{path}.value", value, "must be empty for operator `Exists`")
    elif operator == "Equal":
        yield from (causes.invalid(f"{path}.value", value, fault) for fault in names.label_value(value))
    else:
        yield causes.unsupported(f"{path}.operator", operator, ("Equal", "Exists"), in_order=True)
    effect = item.get("effect") or ""
    if effect and effect not in EFFECTS:
        yield causes.unsupported(f"{path}.effect", effect, EFFECTS)


def _opaque(item: Item, path: str) -> Iterator[Cause]:
    opaque, path = item.get("opaque"), f"{path}.opaque"
    if opaque is None:
        yield causes.required(path)
        return
    yield from volumes.driver_name(str(opaque.get("driver") or ""), f"{path}.driver")
    parameters, where = opaque.get("parameters"), f"{path}.parameters"
    if parameters is None:
        yield causes.required(where)
    elif len(orjson.dumps(parameters)) > LONGEST_TEXT:
        yield causes.too_long(where, LONGEST_TEXT)
    elif not isinstance(parameters, dict):
        yield causes.invalid(where, "<value omitted>", "parameters must be a valid JSON object")


def _qualified(value: Any, path: str) -> Iterator[Cause]:
    """Yield what makes the value no name of an attribute with its domain."""
    name = str(value or "")
    if not name:
        yield causes.required(path, "name required" if value is not None else "")
        return
    yield from attribute(name, path)
    if "/" not in name:
        yield causes.invalid(path, name, "must include a domain")


def attribute(name: str, path: str) -> Iterator[Cause]:
    """Yield what makes the value no attribute's name, with or without a domain."""
    domain, slash, own = name.rpartition("/")
    if slash and not domain:
        yield causes.required(path, "the domain must not be empty")
    elif slash:
        yield from volumes.driver_name(domain, path)
    if not own:
        yield causes.required(path, "the name must not be empty" if slash else "name required")
        return
    if len(own) > LONGEST_ID:
        yield causes.too_long(path, LONGEST_ID)
    if not _IDENTIFIER.fullmatch(own):
        yield causes.valued("FieldValueTypeInvalid", path, own, _NO_IDENTIFIER)


def _claim_status(obj: Object, old: Object | None) -> Iterator[Cause]:
    status, stored = objects.status(obj), objects.status(old or {})
    consumers, allocation = status.get("reservedFor"), status.get("allocation")
    yield from unique(consumers, "status.reservedFor", _consumer, "uid", MOST_CONSUMERS)
    results = ((allocation or {}).get("devices") or {}).get("results") or ()
    yield from devicestatus.statuses(status.get("devices") or (), results, "status.devices")
    if consumers and allocation is None:
        yield causes.forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    elif old and objects.is_deleting(obj) and _added(consumers or (), stored.get("reservedFor") or ()):
        yield causes.forbidden(
            "status.reservedFor",
            "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
        )
    before = stored.get("allocation")
    if None not in (before, allocation) and before != allocation:
        yield causes.invalid("status.allocation", allocation, "field is immutable")
    elif allocation is not None and before is None:
        yield from _allocation(allocation, _references(objects.spec(obj).get("devices") or {}))


def _added(found: Sequence[Any], old: Sequence[Any]) -> bool:
    return any(each not in old for each in found)


def _consumer(item: Item, path: str) -> Iterator[Cause]:
    yield from (
        causes.required(f"{path}.{each}") for each in ("resource", "name", "uid") if not item.get(each)
    )


def _allocation(allocation: Item, known: set[str]) -> Iterator[Cause]:
    path = "status.allocation"

    def result(item: Item, where: str) -> Iterator[Cause]:
        yield from _reference(str(item.get("request") or ""), f"{where}.request", known=known)
        yield from volumes.driver_name(str(item.get("driver") or ""), f"{where}.driver")
        yield from devicestatus.pool_name(str(item.get("pool") or ""), f"{where}.pool")
        yield from label(str(item.get("device") or ""), f"{where}.device")
        yield from devicestatus.binding(item, where)

    def config(item: Item, where: str) -> Iterator[Cause]:
        source = item.get("source") or ""
        if not source:
            yield causes.required(f"{where}.source")
        elif source not in _SOURCES:
            yield causes.unsupported(f"{where}.source", source, _SOURCES, in_order=True)
        reference = functools.partial(_reference, known=known)
        yield from unique(item.get("requests"), f"{where}.requests", reference)
        yield from _opaque(item, where)

    devices = allocation.get("devices") or {}
    yield from each_of(devices.get("results"), f"{path}.devices.results", result)
    yield from each_of(devices.get("config"), f"{path}.devices.config", config, 2 * MOST)
    if allocation.get("nodeSelector") is not None:
        yield from affinity.node_selector(allocation["nodeSelector"], f"{path}.nodeSelector")
