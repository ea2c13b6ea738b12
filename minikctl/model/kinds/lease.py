"""Lease: a claim that expires unless it is renewed."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Column, Kind

KIND = Kind(
    "coordination.k8s.io",
    "v1",
    "Lease",
    "leases",
    columns=(cells.NAME, Column("Holder", cells.text("spec.holderIdentity")), cells.AGE),
)
