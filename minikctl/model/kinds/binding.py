"""Binding: gives a pod its node; acted on, never stored."""

from __future__ import annotations

from minikctl.model.kind import Kind

KIND = Kind("", "v1", "Binding", "bindings", verbs=("create",))
