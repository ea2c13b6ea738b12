"""PodDisruptionBudget: how many pods may be taken away at once."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import poddisruptionbudget

KIND = Kind(
    "policy",
    "v1",
    "PodDisruptionBudget",
    "poddisruptionbudgets",
    short_names=("pdb",),
    subresources=frozenset({"status"}),
    has_generation=True,
    validate=poddisruptionbudget.validate,
    first_status={"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
    columns=(
        cells.NAME,
        Column("Min Available", cells.given("spec.minAvailable", "N/A")),
        Column("Max Unavailable", cells.given("spec.maxUnavailable", "N/A")),
        Column("Allowed Disruptions", cells.number("status.disruptionsAllowed"), "integer"),
        cells.AGE,
    ),
)
