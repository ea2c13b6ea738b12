"""ReplicationController."""

from __future__ import annotations

from minikctl.model import objects
from minikctl.model.objects import Object
from minikctl.model.validation import podspec


def default(obj: Object) -> None:
    """Complete a ReplicationController: labels from its template, the selector from those of the template."""
    template = objects.spec(obj).get("template") or {}
    labels = objects.labels(template)
    if labels:
        if not objects.spec(obj).get("selector"):
            objects.spec(obj)["selector"] = dict(labels)
        if not objects.labels(obj):
            obj.setdefault("metadata", {})["labels"] = dict(labels)
    if template:
        podspec.default(template.setdefault("spec", {}))
