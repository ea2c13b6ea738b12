"""IngressClass: which controller serves an Ingress."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import ingress


def _parameters(obj: Object, _now: datetime) -> str:
    found = cells.at(obj, "spec.parameters")
    if not found:
        return cells.NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind', '')}{group}/{found.get('name', '')}"


KIND = Kind(
    "networking.k8s.io",
    "v1",
    "IngressClass",
    "ingressclasses",
    namespaced=False,
    has_generation=True,
    default=ingress.default_class,
    validate=ingress.validate_class,
    columns=(
        cells.NAME,
        Column("Controller", cells.text("spec.controller")),
        Column("Parameters", _parameters),
        cells.AGE,
    ),
)
