"""ReplicationController."""

from __future__ import annotations

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import podspec, workload


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


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001 - of all kinds
    """Return what is wrong with a ReplicationController."""
    spec = objects.spec(obj)
    selector, template = spec.get("selector") or {}, spec.get("template")
    found = [] if selector else [causes.required("spec.selector")]
    if template is None:
        return [*found, causes.required("spec.template")]
    labels = objects.labels(template)
    if any(labels.get(key) != value for key, value in selector.items()):
        detail = "`selector` does not match template `labels`"
        found.append(causes.invalid("spec.template.metadata.labels", labels, detail))
    return [
        *found,
        *podspec.validate_template(template, "spec.template"),
        *workload.lasting(template, "ReplicationController"),
    ]
