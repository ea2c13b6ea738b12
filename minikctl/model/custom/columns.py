"""The columns that a CustomResourceDefinition gives its kind, and the values that field selectors see."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from minikctl.model import cells, durations, objects
from minikctl.model.custom import paths
from minikctl.model.kind import Column
from minikctl.model.objects import Object

_DEFAULT = ({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},)
"""What is shown when a definition names no columns."""


def of(version: Mapping[str, Any]) -> tuple[Column, ...]:
    """Return the columns of a version's tables; the name comes first."""
    given: Sequence[Mapping[str, Any]] = version.get("additionalPrinterColumns") or _DEFAULT
    return (cells.NAME, *(_column(each) for each in given))


def _column(given: Mapping[str, Any]) -> Column:
    path, type = str(given.get("jsonPath", "")), str(given.get("type", "string"))
    return Column(
        str(given.get("name", "")),
        functools.partial(_cell, path, type),
        type,
        str(given.get("format") or ""),
        int(given.get("priority") or 0),
        str(given.get("description") or f"Custom resource definition column (in JSONPath format): {path}"),
    )


def _cell(path: str, type: str, obj: Object, now: datetime) -> Any:
    try:
        found = paths.find(obj, path)
    except paths.BadPath:
        return None
    if not found or found[0] is None:
        return None
    return _SHOWN[type](found[0], now) if type in _SHOWN else None


def _text(value: Any, _now: datetime) -> Any:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _integer(value: Any, _now: datetime) -> Any:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(value: Any, _now: datetime) -> Any:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any, _now: datetime) -> Any:
    return value if isinstance(value, bool) else None


def _date(value: Any, now: datetime) -> Any:
    if not isinstance(value, str):
        return None
    return durations.since(value, now) if objects.parse_time(value) else "<invalid>"


_SHOWN: dict[str, Callable[[Any, datetime], Any]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}


def selectable(version: Mapping[str, Any]) -> dict[str, Callable[[Object], str]]:
    """Return the field-selector values of a version: ``spec.color`` for the path ``.spec.color``."""
    found: dict[str, Callable[[Object], str]] = {}
    for each in version.get("selectableFields") or ():
        path = str(each.get("jsonPath", ""))
        found[path.removeprefix(".")] = functools.partial(_selected, path)
    return found


def _selected(path: str, obj: Object) -> str:
    found = paths.find(obj, path)
    if not found or found[0] is None:
        return ""
    return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])
