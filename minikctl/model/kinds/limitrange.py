"""LimitRange: defaults and bounds for what the pods and claims of a namespace ask for."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Kind
from minikctl.model.validation import limitrange

KIND = Kind(
    "",
    "v1",
    "LimitRange",
    "limitranges",
    short_names=("limits",),
    default=limitrange.default,
    validate=limitrange.validate,
    columns=(cells.NAME, cells.CREATED),
)
