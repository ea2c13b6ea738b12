"""ReplicaSet: so many equal pods."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import workload

KIND = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    first_status={"replicas": 0},
    short_names=("rs",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
    default=workload.default_replica_set,
    validate=workload.replica_set,
    selectable=cells.selectable(counts=["status.replicas"]),
    columns=(
        cells.NAME,
        Column("Desired", cells.number("spec.replicas"), "integer"),
        Column("Current", cells.number("status.replicas"), "integer"),
        Column("Ready", cells.number("status.readyReplicas"), "integer"),
        cells.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
)
