"""Node: where pods run."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind(
    "", "v1", "Node", "nodes", namespaced=False, short_names=("no",), subresources=frozenset({"status"})
)
