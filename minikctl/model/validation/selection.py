"""metav1.LabelSelector in an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, metadata, names
from minikctl.model.kind import Cause


def validate(selector: dict[str, Any], path: str) -> list[Cause]:
    """Return what is wrong with the selector."""
    found = metadata.labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        found += _expression(expression, f"{path}.matchExpressions[{index}]")
    return found


def _expression(expression: dict[str, Any], path: str) -> Iterator[Cause]:
    operator, values = expression.get("operator"), expression.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            yield causes.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield causes.forbidden(f"{path}.values", detail)
    else:
        yield causes.invalid(f"{path}.operator", operator, "not a valid selector operator")
    key = str(expression.get("key") or "")
    for fault in names.qualified_name(key):
        yield causes.invalid(f"{path}.key", key, fault)
    for index, value in enumerate(values):
        for fault in names.label_value(value):
            yield causes.invalid(f"{path}.values[{index}]", value, fault)
