"""LimitRange."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, names, objects, quantity
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import resources

Item = dict[str, Any]

_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage", "storage", "pods"})
_ORDER = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)
"""(smaller, greater, where a mistake is told, how)."""


def default(obj: Object) -> None:
    """Complete a LimitRange: containers get what is not said from its maxima and minima."""
    for item in objects.spec(obj).get("limits") or ():
        if item.get("type") == "Container":
            limits: dict[str, Any] = {**(item.get("max") or {}), **(item.get("default") or {})}
            requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
            if limits:
                item["default"] = limits
            if requests:
                item["defaultRequest"] = requests


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001
    """Return what is wrong with a LimitRange."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, item in enumerate(objects.spec(obj).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", str(item.get("type") or "")
        for fault in names.qualified_name(kind):
            found.append(causes.invalid(f"{path}.type", kind, fault))
        if kind in seen:
            found.append(causes.duplicate(f"{path}.type", kind))
        seen.add(kind)
        found += _item(item, path, kind)
    return found


def _item(item: Item, path: str, kind: str) -> Iterator[Cause]:
    for bound in _BOUNDS:
        if kind == "Pod" and bound.startswith("default") and item.get(bound):
            yield causes.forbidden(f"{path}.{bound}", "may not be specified when `type` is 'Pod'")
            continue
        for name in item.get(bound) or {}:
            yield from _name(name, f"{path}.{bound}[{name}]")
    if kind == "PersistentVolumeClaim" and not any(
        "storage" in (item.get(bound) or {}) for bound in ("min", "max")
    ):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        yield causes.required(f"{path}.limits", detail)
    for name in sorted({name for bound in _BOUNDS for name in item.get(bound) or {}}):
        amounts = {bound: item[bound][name] for bound in _BOUNDS if name in (item.get(bound) or {})}
        yield from _compare(amounts, path, name)


def _name(name: str, path: str) -> Iterator[Cause]:
    faults = names.qualified_name(name)
    for fault in faults:
        yield causes.invalid(path, name, fault)
    if not faults and "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        yield causes.invalid(path, name, "must be a standard resource type or fully qualified")


def _compare(amounts: dict[str, Any], path: str, name: str) -> Iterator[Cause]:
    for small, great, told, text in _ORDER:
        if small in amounts and great in amounts and quantity.compare(amounts[small], amounts[great]) > 0:
            detail = text.format(amounts[small], amounts[great])
            yield causes.invalid(f"{path}.{told}[{name}]", amounts[told], detail)
    ratio, where = amounts.get("maxLimitRequestRatio"), f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is None:
        pass
    elif quantity.compare(ratio, 1) < 0:
        yield causes.invalid(where, ratio, f"ratio {ratio} is less than 1")
    elif "min" in amounts and "max" in amounts:
        smallest = quantity.parse(amounts["min"])
        limit = quantity.parse(amounts["max"]) / smallest if smallest else None
        if limit is not None and quantity.parse(ratio) > limit:
            detail = f"ratio {ratio} is greater than max/min = {float(limit):f}"
            yield causes.invalid(where, ratio, detail)
    wanted, asked = amounts.get("default"), amounts.get("defaultRequest")
    if not resources.is_extended(name) or wanted is None or asked is None:
        return
    if quantity.compare(wanted, asked) != 0:
        detail = f"default value {wanted} must equal to defaultRequest value {asked} in {name}"
        yield causes.invalid(f"{path}.defaultRequest[{name}]", asked, detail)
