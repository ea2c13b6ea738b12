"""IPAddress and ServiceCIDR."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses

_IMMUTABLE = "field is immutable"


def ip_address(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with an IPAddress."""
    parent = objects.spec(obj).get("parentRef")
    if parent is None:
        return [causes.required("spec.parentRef")]
    found = list(_parent(parent, "spec.parentRef"))
    if old is not None and parent != objects.spec(old).get("parentRef"):
        found.append(causes.invalid("spec.parentRef", parent, _IMMUTABLE))
    return found


def _parent(parent: dict[str, Any], path: str) -> Iterator[Cause]:
    if parent.get("group"):
        for fault in names.dns_subdomain(parent["group"]):
            yield causes.invalid(f"{path}.group", parent["group"], fault)
    for field in ("resource", "name", "namespace"):
        value = parent.get(field) or ""
        if not value and field != "namespace":
            yield causes.required(f"{path}.{field}")
        for fault in names.path_segment(value):
            yield causes.invalid(f"{path}.{field}", value, fault)


def service_cidr(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ServiceCIDR."""
    spec = objects.spec(obj)
    ranges: list[str] = spec.get("cidrs") or []
    found = list(_ranges(ranges, spec))
    if old is not None and ranges != objects.spec(old).get("cidrs"):
        found.append(causes.invalid("spec.cidrs", ranges, _IMMUTABLE))
    return found


def _ranges(ranges: list[str], spec: dict[str, Any]) -> Iterator[Cause]:
    path = "spec.cidrs"
    if not ranges:
        yield causes.required(path, "at least one CIDR required")
    elif len(ranges) > 2:
        yield causes.invalid(path, spec, "may only hold up to 2 values")
    elif len(ranges) == 2 and not _both_families(ranges):
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        yield causes.invalid(path, spec, detail)
    else:
        for index, each in enumerate(ranges):
            for fault in addresses.cidr(each):
                yield causes.invalid(f"{path}[{index}]", each, fault)


def _both_families(ranges: list[str]) -> bool:
    try:
        return len({ipaddress.ip_network(each, strict=False).version for each in ranges}) == 2
    except ValueError:
        return False
