"""ServiceAccount: the identity of pods."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind

KIND = Kind(
    "",
    "v1",
    "ServiceAccount",
    "serviceaccounts",
    short_names=("sa",),
    columns=(cells.NAME, Column("Secrets", cells.size("secrets"), "integer"), cells.AGE),
)
