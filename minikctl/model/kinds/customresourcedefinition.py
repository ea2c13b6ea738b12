"""CustomResourceDefinition: a kind that a user adds."""

from __future__ import annotations

from minikctl.model import cells
from minikctl.model.custom import lifecycle
from minikctl.model.kind import Cause, Kind
from minikctl.model.objects import Object


def _validate(crd: Object, old: Object | None) -> list[Cause]:
    from minikctl.model.validation import crd as rules  # many rules, which few clusters ever need

    return rules.validate(crd, old)


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
    default=lifecycle.default,
    prepare=lifecycle.prepare,
    validate=_validate,
    columns=(cells.NAME, cells.CREATED),
)
