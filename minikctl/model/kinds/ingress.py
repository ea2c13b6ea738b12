"""Ingress: HTTP routes from outside to Services; both v1beta1 versions are views of networking.k8s.io/v1."""

from __future__ import annotations

import functools

from minikctl.model.kinds.base import Kind

_ingress = functools.partial(
    Kind,
    kind="Ingress",
    plural="ingresses",
    short_names=("ing",),
    subresources=frozenset({"status"}),
    has_generation=True,
)

KIND = _ingress("networking.k8s.io", "v1")
KIND_V1BETA1 = _ingress("networking.k8s.io", "v1beta1", storage=("networking.k8s.io", "v1"))
KIND_EXTENSIONS = _ingress("extensions", "v1beta1", storage=("networking.k8s.io", "v1"))
