"""Namespace: a scope of names, deleted with all that it holds."""

from __future__ import annotations

from minikctl.model import cells, names
from minikctl.model.kind import VERBS, Column, Kind

KIND = Kind(
    "",
    "v1",
    "Namespace",
    "namespaces",
    first_status={"phase": "Active"},
    namespaced=False,
    name_rule=names.dns_label,
    short_names=("ns",),
    subresources=frozenset({"status", "finalize"}),
    selectable=cells.selectable("status.phase"),
    verbs=tuple(verb for verb in VERBS if verb != "deletecollection"),
    columns=(cells.NAME, Column("Status", cells.text("status.phase")), cells.AGE),
)
