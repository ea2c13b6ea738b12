"""PodTemplate: a pod to be, kept for whoever makes pods from it."""

from __future__ import annotations

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import podspec


def _default(obj: Object) -> None:
    podspec.default(objects.spec(obj.get("template") or {}))


KIND = Kind(
    "",
    "v1",
    "PodTemplate",
    "podtemplates",
    has_generation=True,
    default=_default,
    columns=(
        cells.NAME,
        Column("Containers", cells.containers("name", "template")),
        Column("Images", cells.containers("image", "template")),
        Column("Pod Labels", cells.label_map("template.metadata.labels")),
    ),
)
