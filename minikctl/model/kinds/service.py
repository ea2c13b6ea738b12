"""Service: one stable address for the pods that a selector finds."""

from __future__ import annotations

from minikctl.model import names
from minikctl.model.kinds.base import Kind

KIND = Kind(
    "",
    "v1",
    "Service",
    "services",
    short_names=("svc",),
    name_rule=names.dns_1035_label,
    categories=("all",),
    subresources=frozenset({"status"}),
)
