"""Server-side tables: ``metav1.Table`` as kubectl asks for it and shows it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from minikctl.model import kinds
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object

API_VERSION = "meta.k8s.io/v1"
Include = Literal["Metadata", "Object", "None"]
"""What a row brings of its object."""


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def render(
    kind: Kind, objects: Iterable[Object], now: datetime, include: Include = "Metadata"
) -> dict[str, Any]:
    """Return the Table of the objects, which are in the kind's own version; its metadata is left empty."""
    columns = kinds.stored(kind).columns
    rows = []
    for obj in objects:
        stored = kind.to_storage(obj)
        row: dict[str, Any] = {"cells": [column.cell(stored, now) for column in columns]}
        if include == "Object":
            row["object"] = obj
        elif include == "Metadata":
            partial = {"kind": "PartialObjectMetadata", "apiVersion": API_VERSION}
            row["object"] = {**partial, "metadata": obj.get("metadata") or {}}
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": API_VERSION,
        "metadata": {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": rows,
    }
