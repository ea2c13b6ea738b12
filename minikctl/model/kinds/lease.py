"""Lease: a claim that expires unless it is renewed."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("coordination.k8s.io", "v1", "Lease", "leases")
