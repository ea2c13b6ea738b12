"""What becomes of a CustomResourceDefinition itself, light enough to be loaded where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer with which a definition waits for the end of its objects."""

ESTABLISHED = "Established"


def has_condition(crd: Mapping[str, Any], type: str, status: str = "True") -> bool:
    """Tell whether the definition has that condition with that status."""
    found = objects.status(crd).get("conditions") or ()
    return any(each.get("type") == type and each.get("status") == status for each in found)


def default(crd: Object) -> None:
    """Fill in, in place, the names and the conversion that a definition does not give."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return
    spec.setdefault("conversion", {}).setdefault("strategy", "None")
    webhook = spec["conversion"].get("webhook") or {}
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    for given in (spec.get("names"), objects.status(crd).get("acceptedNames")):
        if given and given.get("kind"):
            given.setdefault("singular", given["kind"].lower())
            given.setdefault("listKind", f"{given['kind']}List")


def prepare(crd: Object, old: Object | None) -> None:
    """Remember, in place, the version in which objects are kept from now on."""
    status = dict(objects.status(old)) if old is not None else {}
    kept = list(status.get("storedVersions") or ())
    for version in objects.spec(crd).get("versions") or ():
        if version.get("storage") and version.get("name") not in kept:
            kept.append(version.get("name"))
    crd["status"] = {**status, "storedVersions": kept}


def mark(crd: Object, now: str) -> Object:
    """Return the status of a definition that is marked for deletion."""
    others = [
        each for each in objects.status(crd).get("conditions") or () if each.get("type") != "Terminating"
    ]
    terminating = {
        "type": "Terminating",
        "status": "True",
        "lastTransitionTime": now,
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }
    return {**objects.status(crd), "conditions": [*others, terminating]}
