"""Deployment: ReplicaSets that replace one another step by step."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import workload


def _ready(obj: Object, _now: datetime) -> str:
    return f"{cells.at(obj, 'status.readyReplicas') or 0}/{cells.at(obj, 'spec.replicas') or 0}"


KIND = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
    default=workload.default_deployment,
    validate=workload.deployment,
    columns=(
        cells.NAME,
        Column("Ready", _ready),
        Column("Up-to-date", cells.number("status.updatedReplicas"), "integer"),
        Column("Available", cells.number("status.availableReplicas"), "integer"),
        cells.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
)
