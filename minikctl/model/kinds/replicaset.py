"""ReplicaSet: so many equal pods."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind(
    "apps",
    "v1",
    "ReplicaSet",
    "replicasets",
    short_names=("rs",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
)
