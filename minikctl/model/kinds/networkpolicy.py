"""NetworkPolicy: which connections the pods that it selects may have."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects, selectors
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import networkpolicy


def _selector(obj: Object, _now: datetime) -> str:
    return str(selectors.of(objects.spec(obj).get("podSelector") or {})) or cells.NONE


KIND = Kind(
    "networking.k8s.io",
    "v1",
    "NetworkPolicy",
    "networkpolicies",
    short_names=("netpol",),
    has_generation=True,
    default=networkpolicy.default,
    validate=networkpolicy.validate,
    columns=(cells.NAME, Column("Pod-Selector", _selector), cells.AGE),
)
