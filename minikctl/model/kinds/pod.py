"""Pod: containers that share one network namespace."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind(
    "",
    "v1",
    "Pod",
    "pods",
    short_names=("po",),
    categories=("all",),
    subresources=frozenset({"status", "log", "exec", "attach"}),
    has_generation=True,
)
