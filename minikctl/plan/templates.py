"""Pod templates: which of them make the same pods, and the pods that are made from them."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

_MAPS = ("labels", "annotations", "nodeSelector", "matchLabels", "limits", "requests", "metadata")


def canonical(value: Any) -> Any:
    """Return the value without what means the same as being absent: null, and empty lists and maps."""
    if isinstance(value, dict):
        cleaned = {name: canonical(each) for name, each in value.items()}
        return {name: each for name, each in cleaned.items() if not _is_absent(name, each)}
    if isinstance(value, list):
        return [canonical(each) for each in value]
    return value


def _is_absent(name: str, value: Any) -> bool:
    # An empty object such as ``emptyDir: {}`` is a choice; only maps of texts are the same empty or absent.
    return value is None or value == [] or (value == {} and name in _MAPS)


def pod(owner: Object, template: Object, metadata: Object) -> Object:
    """Return the pod that the owner makes from its template; ``metadata`` adds its name and more labels."""
    wanted = template.get("metadata") or {}
    found: dict[str, Any] = {
        **metadata,
        "namespace": objects.namespace(owner),
        "labels": {**(wanted.get("labels") or {}), **(metadata.get("labels") or {})},
        "ownerReferences": [objects.owner_reference(owner)],
    }
    for field in ("annotations", "finalizers"):
        if wanted.get(field):
            found[field] = wanted[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": template.get("spec") or {}}
