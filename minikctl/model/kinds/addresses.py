"""IPAddress and ServiceCIDR: which addresses Services have, and may have."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import addresses, serviceaddresses


def _parent(obj: Object, _now: datetime) -> str:
    parent = objects.spec(obj).get("parentRef")
    if not parent:
        return cells.NONE
    group = f".{parent['group']}" if parent.get("group") else ""
    place = f"/{parent['namespace']}" if parent.get("namespace") else ""
    return f"{parent.get('resource', '')}{group}".lower() + f"{place}/{parent.get('name', '')}"


def _cidrs(obj: Object, _now: datetime) -> str:
    return ",".join(objects.spec(obj).get("cidrs") or ())


IP_ADDRESS = Kind(
    "networking.k8s.io",
    "v1",
    "IPAddress",
    "ipaddresses",
    namespaced=False,
    short_names=("ip",),
    name_rule=addresses.canonical_ip,
    validate=serviceaddresses.ip_address,
    columns=(cells.NAME, Column("ParentRef", _parent), cells.AGE),
)
SERVICE_CIDR = Kind(
    "networking.k8s.io",
    "v1",
    "ServiceCIDR",
    "servicecidrs",
    validate=serviceaddresses.service_cidr,
    namespaced=False,
    subresources=frozenset({"status"}),
    columns=(cells.NAME, Column("CIDRs", _cidrs), cells.AGE),
)
