"""DaemonSet: one pod on each node."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import daemonset

KIND = Kind(
    "apps",
    "v1",
    "DaemonSet",
    "daemonsets",
    short_names=("ds",),
    categories=("all",),
    subresources=frozenset({"status"}),
    has_generation=True,
    first_status={
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    default=daemonset.default,
    validate=daemonset.validate,
    columns=(
        cells.NAME,
        Column("Desired", cells.number("status.desiredNumberScheduled"), "integer"),
        Column("Current", cells.number("status.currentNumberScheduled"), "integer"),
        Column("Ready", cells.number("status.numberReady"), "integer"),
        Column("Up-to-date", cells.number("status.updatedNumberScheduled"), "integer"),
        Column("Available", cells.number("status.numberAvailable"), "integer"),
        Column("Node Selector", cells.label_map("spec.template.spec.nodeSelector")),
        cells.AGE,
        cells.CONTAINERS,
        cells.IMAGES,
        cells.SELECTOR,
    ),
)
