"""Deployment: ReplicaSets that replace one another step by step."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind(
    "apps",
    "v1",
    "Deployment",
    "deployments",
    short_names=("deploy",),
    categories=("all",),
    subresources=frozenset({"status", "scale"}),
    has_generation=True,
)
