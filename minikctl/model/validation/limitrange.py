"""LimitRange."""

from __future__ import annotations

from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object


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
