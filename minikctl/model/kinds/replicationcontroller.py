"""ReplicationController: so many equal pods, as it was before ReplicaSets."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import replicationcontroller

KIND = Kind(
    "",
    "v1",
    "ReplicationController",
    "replicationcontrollers",
    short_names=("rc",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
    first_status={"replicas": 0},
    default=replicationcontroller.default,
    validate=replicationcontroller.validate,
    selectable=cells.selectable(counts=["status.replicas"]),
    columns=(
        cells.NAME,
        Column("Desired", cells.number("spec.replicas"), "integer"),
        Column("Current", cells.number("status.replicas"), "integer"),
        Column("Ready", cells.number("status.readyReplicas"), "integer"),
        cells.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        Column("Selector", cells.label_map("spec.selector"), priority=1),
    ),
)
