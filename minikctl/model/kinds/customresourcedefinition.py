"""CustomResourceDefinition: a kind that a user adds."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.kind import Kind

KIND = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=frozenset({"status"}),
    has_generation=True,
    stored_only=True,
    columns=(cells.NAME, cells.CREATED),
)
