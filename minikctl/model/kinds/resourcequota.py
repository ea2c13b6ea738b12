"""ResourceQuota: how much of everything a namespace may have."""

from __future__ import annotations

from datetime import datetime

from minikctl.model import cells, objects
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import resourcequota


def _amounts(limits: bool) -> cells.Cell:
    def cell(obj: Object, _now: datetime) -> str:
        hard, used = objects.status(obj).get("hard") or {}, objects.status(obj).get("used") or {}
        chosen = [name for name in sorted(hard) if name.startswith("limits.") == limits]
        return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in chosen)

    return cell


KIND = Kind(
    "",
    "v1",
    "ResourceQuota",
    "resourcequotas",
    short_names=("quota",),
    subresources=frozenset({"status"}),
    validate=resourcequota.validate,
    columns=(
        cells.NAME,
        Column("Request", _amounts(limits=False)),
        Column("Limit", _amounts(limits=True)),
        cells.AGE,
    ),
)
