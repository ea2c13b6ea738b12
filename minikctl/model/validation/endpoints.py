"""Endpoints and EndpointSlice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses

ENDPOINTS_LIMIT, PORTS_LIMIT, ADDRESSES_LIMIT, HINTS_LIMIT = 1000, 20000, 100, 8


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with an Endpoints object."""
    found: list[Cause] = []
    for index, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            found.append(causes.required(path, "must specify `addresses` or `notReadyAddresses`"))
        for field in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(field) or ()):
                value = address.get("ip", "")
                found += _invalid(f"{path}.{field}[{at}].ip", value, addresses.reachable(value))
                found += _machine(f"{path}.{field}[{at}]", address)
        ports = subset.get("ports") or ()
        for at, port in enumerate(ports):
            if len(ports) > 1 and not port.get("name"):
                found.append(causes.required(f"{path}.ports[{at}].name"))
            found += _port(f"{path}.ports[{at}]", port)
    return found


def _machine(path: str, entry: dict[str, Any]) -> Iterator[Cause]:
    """Yield what is wrong with the names of who is at an address."""
    if (node := entry.get("nodeName")) is not None:
        yield from _invalid(f"{path}.nodeName", node, names.dns_subdomain(node))
    if hostname := entry.get("hostname"):
        yield from _invalid(f"{path}.hostname", hostname, names.dns_label(hostname))


def _port(path: str, port: dict[str, Any]) -> Iterator[Cause]:
    """Yield what is wrong with a port's name and its protocol's."""
    if name := port.get("name"):
        yield from _invalid(f"{path}.name", name, names.dns_label(name))
    if protocol := port.get("appProtocol"):
        yield from _invalid(f"{path}.appProtocol", protocol, names.qualified_name(protocol))


def _invalid(path: str, value: Any, faults: Iterable[str]) -> Iterator[Cause]:
    return (causes.invalid(path, value, fault) for fault in faults)


def validate_slice(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with an EndpointSlice."""
    family = str(obj.get("addressType", ""))
    endpoints, ports = obj.get("endpoints") or (), obj.get("ports") or ()
    found: list[Cause] = []
    for field, listed, limit in (("endpoints", endpoints, ENDPOINTS_LIMIT), ("ports", ports, PORTS_LIMIT)):
        if len(listed) > limit:
            found.append(causes.too_many(field, len(listed), limit))
    if not found:
        found += _ports(ports)
        for index, endpoint in enumerate(endpoints):
            found += _endpoint(f"endpoints[{index}]", endpoint, family)
    if old is not None and family != old.get("addressType"):
        found.append(causes.invalid("addressType", family, "field is immutable"))
    return found


def _endpoint(path: str, endpoint: dict[str, Any], family: str) -> Iterator[Cause]:
    listed = endpoint.get("addresses") or ()
    if len(listed) > ADDRESSES_LIMIT:
        yield causes.too_many(f"{path}.addresses", len(listed), ADDRESSES_LIMIT)
    for at, value in enumerate(listed):
        yield from _invalid(f"{path}.addresses[{at}]", value, _address(family, value))
    yield from _machine(path, endpoint)
    hints = endpoint.get("hints") or {}
    for field in ("forZones", "forNodes"):
        yield from _hints(f"{path}.hints.{field}", hints.get(field) or ())


def _hints(path: str, hints: Sequence[dict[str, Any]]) -> Iterator[Cause]:
    if len(hints) > HINTS_LIMIT:
        yield causes.too_many(path, len(hints), HINTS_LIMIT)
        return
    seen: set[str] = set()
    is_node = path.endswith("forNodes")
    for index, hint in enumerate(hints):
        field, name = f"{path}[{index}].name", str(hint.get("name") or "")
        if name in seen:
            yield causes.duplicate(field, name)
        seen.add(name)
        yield from _invalid(field, name, names.dns_subdomain(name) if is_node else names.label_value(name))


def _address(family: str, value: str) -> list[str]:
    if family == "FQDN":
        return _domain(value.removesuffix("."))
    return addresses.family(value, family) or addresses.reachable(value)


def _domain(name: str) -> list[str]:
    """Return what makes it no name of a machine with its domain."""
    if faults := names.dns_subdomain(name):
        return faults
    if "." not in name:
        return ["should be a domain with at least two segments separated by dots"]
    return [fault for label in name.split(".") for fault in names.dns_label(label)]


def _ports(ports: Iterable[dict[str, Any]]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", str(port.get("name") or "")
        yield from _port(path, port)
        if name in seen:
            yield causes.duplicate(f"{path}.name", name)
        seen.add(name)
