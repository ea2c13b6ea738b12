"""Which pods and claims a quota looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minikctl.model import objects, quality
from minikctl.model.kind import Kind
from minikctl.model.objects import Object

ATTRIBUTES = "VolumeAttributesClass"


def selects(quota: Object, kind: Kind, obj: Object) -> bool:
    """Tell whether the quota looks at the object: all its scopes have to fit, those of pods or of claims."""
    wanted = requirements(quota)
    if not wanted:
        return True
    if kind.kind == "PersistentVolumeClaim":
        return all(each.get("scopeName") == ATTRIBUTES and _has_attributes(each, obj) for each in wanted)
    return kind.kind == "Pod" and all(_fits(each, obj) for each in wanted)


def requirements(quota: Object) -> list[dict[str, Any]]:
    """Return the quota's scopes as requirements."""
    spec = objects.spec(quota)
    plain = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    return plain + list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def _fits(wanted: Mapping[str, Any], pod: Object) -> bool:
    spec = objects.spec(pod)
    match wanted.get("scopeName"):
        case "Terminating":
            return spec.get("activeDeadlineSeconds") is not None
        case "NotTerminating":
            return spec.get("activeDeadlineSeconds") is None
        case "BestEffort":
            return quality.qos_class(pod) == "BestEffort"
        case "NotBestEffort":
            return quality.qos_class(pod) != "BestEffort"
        case "PriorityClass":
            return _has_class(wanted, str(spec.get("priorityClassName") or ""))
        case "CrossNamespacePodAffinity":
            return _looks_elsewhere(spec.get("affinity") or {})
    return False


def _has_class(wanted: Mapping[str, Any], name: str) -> bool:
    values = wanted.get("values") or ()
    match wanted.get("operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "DoesNotExist":
            return not name
    return bool(name)


def _has_attributes(wanted: Mapping[str, Any], claim: Object) -> bool:
    """Tell whether a class of the claim fits: the wanted, the present, or the one to come."""
    status = objects.status(claim)
    names = {
        objects.spec(claim).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    }
    return any(_has_class(wanted, str(name)) for name in names - {None, ""} or {""})


def _looks_elsewhere(affinity: Mapping[str, Any]) -> bool:
    for field in ("podAffinity", "podAntiAffinity"):
        found = affinity.get(field) or {}
        terms = list(found.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = found.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [each.get("podAffinityTerm") or {} for each in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
