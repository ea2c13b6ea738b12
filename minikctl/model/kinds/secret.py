"""Secret: settings that are not shown by default."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import keyed

KIND = Kind(
    "",
    "v1",
    "Secret",
    "secrets",
    default=keyed.encode_string_data,
    validate=keyed.secret,
    selectable=cells.selectable("type"),
    columns=(
        cells.NAME,
        Column("Type", cells.text("type")),
        Column("Data", cells.size("data"), "integer"),
        cells.AGE,
    ),
)
