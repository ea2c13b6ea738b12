"""ResourceQuota."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import resources

_COUNTS = frozenset(
    {
        "pods",
        "services",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)
_COMPUTE = frozenset({"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"})
_STANDARD = (
    _COUNTS
    | _COMPUTE
    | {"ephemeral-storage", "requests.storage", "requests.ephemeral-storage", "limits.ephemeral-storage"}
)
_SCOPES = frozenset(
    {
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    }
)
_OPPOSED = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_ONLY_EXISTS = (
    "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a ResourceQuota."""
    spec = objects.spec(obj)
    hard, scopes = spec.get("hard") or {}, spec.get("scopes") or []
    found = [cause for name, amount in hard.items() for cause in _amount(name, amount)]
    found += _scopes(scopes, hard)
    if spec.get("scopeSelector") is not None:
        found += _selector(spec["scopeSelector"], hard)
    if old is not None and set(scopes) != set(objects.spec(old).get("scopes") or ()):
        found.append(causes.invalid("spec.scopes", scopes, "field is immutable"))
    return found


def _amount(name: str, amount: Any) -> Iterator[Cause]:
    path = f"spec.hard[{name}]"
    faults = names.qualified_name(name)
    for fault in faults:
        yield causes.invalid(path, name, fault)
    huge = name.startswith(("hugepages-", "requests.hugepages-"))
    if not faults and "/" not in name and name not in _STANDARD and not huge:
        yield causes.invalid(path, name, "must be a standard resource for quota")
    yield from resources.amount_of(name, amount, path)
    if name in _COUNTS and quantity.parse(amount) % 1:
        yield causes.invalid(path, amount, "must be an integer")


def _fits(scope: str, resource: str) -> bool:
    """Tell whether a scope makes sense for a resource."""
    if scope == "BestEffort":
        return resource == "pods"
    if scope == "VolumeAttributesClass":
        return resource in ("persistentvolumeclaims", "requests.storage")
    return resource == "pods" or resource in _COMPUTE


def _misfits(scope: str, hard: Iterable[str]) -> bool:
    return any(name in _STANDARD and not _fits(scope, name) for name in hard)


def _scopes(scopes: list[str], hard: dict[str, Any]) -> Iterator[Cause]:
    for scope in scopes:
        if scope not in _SCOPES:
            yield causes.invalid("spec.scopes", scopes, "unsupported scope")
        if _misfits(scope, hard):
            yield causes.invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    if any(pair <= set(scopes) for pair in _OPPOSED):
        yield causes.invalid("spec.scopes", scopes, "conflicting scopes")


def _selector(selector: dict[str, Any], hard: dict[str, Any]) -> Iterator[Cause]:
    path = "spec.scopeSelector.matchExpressions"
    requirements = selector.get("matchExpressions") or ()
    for each in requirements:
        scope, operator = each.get("scopeName") or "", each.get("operator") or ""
        values = each.get("values") or []
        if scope not in _SCOPES:
            yield causes.invalid(f"{path}.scopeName", scope, "unsupported scope")
        if _misfits(scope, hard):
            yield causes.invalid(path, selector, "unsupported scope applied to resource")
        if scope in _SCOPES - {"PriorityClass", "VolumeAttributesClass"} and operator != "Exists":
            yield causes.invalid(f"{path}.operator", operator, _ONLY_EXISTS)
        if operator in ("In", "NotIn"):
            if not values:
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield causes.required(f"{path}.values", detail)
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield causes.invalid(f"{path}.values", values, detail)
        else:
            yield causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
    named = {each.get("scopeName") for each in requirements}
    if any(pair <= named for pair in _OPPOSED):
        yield causes.invalid("spec.scopeSelector.matchExpressions", list(requirements), "conflicting scopes")
