"""EndpointSlice: the addresses behind a Service."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", has_generation=True)
