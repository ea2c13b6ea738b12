"""Namespace: a scope of names, deleted with all that it holds."""

from __future__ import annotations

from minikctl.model import names
from minikctl.model.kinds.base import Kind

KIND = Kind(
    "",
    "v1",
    "Namespace",
    "namespaces",
    namespaced=False,
    name_rule=names.dns_label,
    short_names=("ns",),
    subresources=frozenset({"status", "finalize"}),
)
