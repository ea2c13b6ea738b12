"""PriorityClass: how important pods are."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import priorityclass

KIND = Kind(
    "scheduling.k8s.io",
    "v1",
    "PriorityClass",
    "priorityclasses",
    namespaced=False,
    short_names=("pc",),
    validate=priorityclass.validate,
    columns=(
        cells.NAME,
        Column("Value", cells.number("value"), "integer"),
        Column("Global-Default", cells.flag("globalDefault"), "boolean"),
        cells.AGE,
        Column("PreemptionPolicy", cells.text("preemptionPolicy")),
    ),
)
