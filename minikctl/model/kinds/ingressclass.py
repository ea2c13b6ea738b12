"""IngressClass: which controller serves an Ingress."""

from __future__ import annotations

from minikctl.model.kinds.base import Kind

KIND = Kind(
    "networking.k8s.io", "v1", "IngressClass", "ingressclasses", namespaced=False, has_generation=True
)
