"""Endpoints: the older form of EndpointSlice, one object per Service."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import endpoints


def _addresses(obj: Object, _now: datetime) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or [{}]:
            suffix = f":{port['port']}" if "port" in port else ""
            found += [f"{each.get('ip', '')}{suffix}" for each in subset.get("addresses") or ()]
    return cells.limited(found, len(found)) or cells.NONE


KIND = Kind(
    "",
    "v1",
    "Endpoints",
    "endpoints",
    short_names=("ep",),
    deprecation="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    validate=endpoints.validate,
    columns=(cells.NAME, Column("Endpoints", _addresses), cells.AGE),
)
