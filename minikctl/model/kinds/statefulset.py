"""StatefulSet: pods with names and storage of their own."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, names
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import statefulset


def _ready(obj: Object, _now: datetime) -> str:
    return f"{cells.at(obj, 'status.readyReplicas') or 0}/{cells.at(obj, 'spec.replicas') or 0}"


KIND = Kind(
    "apps",
    "v1",
    "StatefulSet",
    "statefulsets",
    short_names=("sts",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
    first_status={"replicas": 0, "availableReplicas": 0},
    default=statefulset.default,
    validate=statefulset.validate,
    name_rule=names.dns_label,
    columns=(cells.NAME, Column("Ready", _ready), cells.AGE, cells.CONTAINERS, cells.IMAGES),
)
