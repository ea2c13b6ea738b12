"""Endpoints and EndpointSlice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses

ENDPOINTS_LIMIT = 1000


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
        ports = subset.get("ports") or ()
        for at, port in enumerate(ports):
            if len(ports) > 1 and not port.get("name"):
                found.append(causes.required(f"{path}.ports[{at}].name"))
    return found


def _invalid(path: str, value: Any, faults: Iterable[str]) -> Iterator[Cause]:
    return (causes.invalid(path, value, fault) for fault in faults)


def validate_slice(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with an EndpointSlice."""
    family = str(obj.get("addressType", ""))
    endpoints = obj.get("endpoints") or ()
    found = [*_ports(obj.get("ports") or ())]
    if len(endpoints) > ENDPOINTS_LIMIT:
        detail = f"must have at most {ENDPOINTS_LIMIT} items"
        message = f"Too many: {len(endpoints)}: {detail}"
        found.append({"reason": "FieldValueTooMany", "message": message, "field": "endpoints"})
    for index, endpoint in enumerate(endpoints):
        path = f"endpoints[{index}]"
        for at, value in enumerate(endpoint.get("addresses") or ()):
            found += _invalid(f"{path}.addresses[{at}]", value, _address(family, value))
        if hostname := endpoint.get("hostname"):
            found += _invalid(f"{path}.hostname", hostname, names.dns_label(hostname))
    if old is not None and family != old.get("addressType"):
        found.append(causes.invalid("addressType", family, "field is immutable"))
    return found


def _address(family: str, value: str) -> list[str]:
    if family == "FQDN":
        return names.dns_subdomain(value)
    return addresses.family(value, family) or addresses.reachable(value)


def _ports(ports: Iterable[dict[str, Any]]) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", str(port.get("name") or "")
        if name:
            yield from _invalid(f"{path}.name", name, names.dns_label(name))
        if name in seen:
            yield causes.duplicate(f"{path}.name", name)
        seen.add(name)
