"""RuntimeClass: another container runtime; nodes here have one, and refuse pods that name a class."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind
from minikctl.model.validation import runtimeclass

KIND = Kind(
    "node.k8s.io",
    "v1",
    "RuntimeClass",
    "runtimeclasses",
    validate=runtimeclass.validate,
    namespaced=False,
    columns=(cells.NAME, Column("Handler", cells.text("handler")), cells.AGE),
)
