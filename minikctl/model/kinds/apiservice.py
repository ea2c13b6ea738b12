"""APIService: a group and version that another server answers for."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, names, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import apiservice


def _service(obj: Object, _now: datetime) -> str:
    service = objects.spec(obj).get("service")
    return f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"


def _available(obj: Object, _now: datetime) -> str:
    found = objects.condition(obj, "Available")
    if found is None:
        return "Unknown"
    status = str(found.get("status", ""))
    return status if status == "True" else f"{status} ({found.get('reason', '')})"


KIND = Kind(
    "apiregistration.k8s.io",
    "v1",
    "APIService",
    "apiservices",
    name_rule=names.path_segment,
    validate=apiservice.validate,
    prepare=apiservice.prepare,
    namespaced=False,
    categories=("api-extensions",),
    subresources=frozenset({"status"}),
    columns=(cells.NAME, Column("Service", _service), Column("Available", _available), cells.AGE),
)
