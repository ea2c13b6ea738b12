"""Amounts of resources: what a container, or a pod as a whole, asks for and may use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from minikctl.model import causes, names, quantity
from minikctl.model.kind import Cause

_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
HUGE = "hugepages-"
_NATIVE = "kubernetes.io/"


def validate(resources: dict[str, Any], path: str, claims: Collection[str] = ()) -> Iterator[Cause]:
    """Yield what is wrong with requests and limits; ``claims`` are the names of the pod's resource claims."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            where = f"{path}.{field}[{name}]"
            yield from _name(name, where)
            yield from amount_of(name, amount, where)
            if name.startswith(HUGE):
                yield from _huge(name, amount, where)
    for name, amount in requests.items():
        yield from _bounded(name, amount, limits, path)
    together = {*limits, *requests}
    if any(name.startswith(HUGE) for name in together) and not together & {"cpu", "memory"}:
        yield causes.forbidden(path, "HugePages require cpu or memory")
    for index, claim in enumerate(resources.get("claims") or ()):
        if claim.get("name") not in claims:
            known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
            cause = causes.not_found(f"{path}.claims[{index}]", claim.get("name", ""))
            detail = f"must be one of the names in pod.spec.resourceClaims{known}"
            yield {**cause, "message": f"{cause['message']}: {detail}"}


def is_extended(name: str) -> bool:
    """Tell whether a resource is one that Kubernetes does not know itself."""
    return "/" in name and _NATIVE not in name


def is_standard(name: str) -> bool:
    """Tell whether a resource is known without a domain, or has one."""
    return "/" in name or name in _STANDARD or name.startswith(HUGE)


def amount_of(name: str, amount: Any, path: str) -> Iterator[Cause]:
    """Yield what is wrong with the amount of a resource."""
    if quantity.compare(amount, 0) < 0:
        yield causes.invalid(path, amount, "must be greater than or equal to 0")
    if is_extended(name) and quantity.parse(amount) % 1:
        yield causes.invalid(path, amount, "must be an integer")


def _bounded(name: str, amount: Any, limits: dict[str, Any], path: str) -> Iterator[Cause]:
    elastic = not is_extended(name) and not name.startswith(HUGE)
    if name not in limits:
        if not elastic:
            detail = "Limit must be set for non overcommitable resources"
            yield causes.required(f"{path}.limits", detail)
    elif not elastic and quantity.compare(amount, limits[name]) != 0:
        detail = f"must be equal to {name} limit of {limits[name]}"
        yield causes.invalid(f"{path}.requests", amount, detail)
    elif quantity.compare(amount, limits[name]) > 0:
        detail = f"must be less than or equal to {name} limit of {limits[name]}"
        yield causes.invalid(f"{path}.requests", amount, detail)


def _huge(name: str, amount: Any, path: str) -> Iterator[Cause]:
    try:
        size = quantity.parse(name.removeprefix(HUGE))
    except ValueError:
        size = quantity.parse(0)
    if size <= 0 or quantity.parse(amount) % size:
        yield causes.invalid(path, amount, f"{amount} is not positive integer multiple of {name}")


def _name(name: str, path: str) -> Iterator[Cause]:
    faults = names.qualified_name(name)
    for fault in faults:
        yield causes.invalid(path, name, fault)
    if faults:
        return
    if not is_standard(name):
        yield causes.invalid(path, name, "must be a standard resource for containers")
    elif is_extended(name) and name.startswith("requests."):
        yield causes.invalid(path, name, "doesn't follow extended resource name standard")
