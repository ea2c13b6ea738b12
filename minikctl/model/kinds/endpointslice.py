"""EndpointSlice: the addresses behind a Service."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import endpoints

_UNSET = "<unset>"


def _ports(obj: Object, _now: datetime) -> str:
    ports = obj.get("ports") or ()
    shown = [str(port.get("port") or port.get("name") or "*") for port in ports]
    return cells.limited(shown, len(shown)) or _UNSET


def _addresses(obj: Object, _now: datetime) -> str:
    found = [address for each in obj.get("endpoints") or () for address in each.get("addresses") or ()]
    return cells.limited(found, len(found)) or _UNSET


KIND = Kind(
    "discovery.k8s.io",
    "v1",
    "EndpointSlice",
    "endpointslices",
    has_generation=True,
    validate=endpoints.validate_slice,
    columns=(
        cells.NAME,
        Column("AddressType", cells.text("addressType")),
        Column("Ports", _ports),
        Column("Endpoints", _addresses),
        cells.AGE,
    ),
)
