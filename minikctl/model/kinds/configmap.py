"""ConfigMap: settings in clear."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import keyed

KIND = Kind(
    "",
    "v1",
    "ConfigMap",
    "configmaps",
    short_names=("cm",),
    validate=keyed.config_map,
    columns=(cells.NAME, Column("Data", cells.size("data", "binaryData"), "integer"), cells.AGE),
)
