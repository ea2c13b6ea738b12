"""Event: what happened to an object; core/v1, and events.k8s.io/v1 as another view of the same storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from minikctl.model import cells, durations
from minikctl.model.kind import Column, Kind
from minikctl.model.objects import Object
from minikctl.model.validation import event

_ALIKE = ("metadata", "reason", "type", "action", "related", "eventTime", "reportingInstance", "series")
_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}


def _from_storage(obj: Object) -> Object:
    fields = {name: name for name in _ALIKE} | _RENAMED
    return _view(obj, "events.k8s.io/v1", fields)


def _to_storage(obj: Object) -> Object:
    fields = {name: name for name in _ALIKE} | {new: old for old, new in _RENAMED.items()}
    return _view(obj, "v1", fields)


def _view(obj: Object, api_version: str, fields: dict[str, str]) -> Object:
    kept: dict[str, Any] = {fields[name]: value for name, value in obj.items() if name in fields}
    return {"apiVersion": api_version, "kind": "Event", **kept}


def _first(obj: Object) -> str | None:
    return obj.get("firstTimestamp") or obj.get("eventTime")


def _last_seen(obj: Object, now: datetime) -> str:
    series = (obj.get("series") or {}).get("lastObservedTime")
    return durations.since(series or obj.get("lastTimestamp") or _first(obj), now)


def _object(obj: Object, _now: datetime) -> str:
    about = obj.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _source(obj: Object, _now: datetime) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    instance = source.get("host") or obj.get("reportingInstance") or ""
    return ", ".join(part for part in (component, instance) if part)


def _count(obj: Object, _now: datetime) -> int:
    return int((obj.get("series") or {}).get("count") or obj.get("count") or 1)


def _message(obj: Object, _now: datetime) -> str:
    return str(obj.get("message") or "").strip()


_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")

KIND = Kind(
    "",
    "v1",
    "Event",
    "events",
    short_names=("ev",),
    validate=event.validate,
    selectable=cells.selectable(
        *(f"involvedObject.{name}" for name in _ABOUT), "reason", "reportingComponent", "type"
    )
    | {"source": lambda obj: str(cells.at(obj, "source.component") or obj.get("reportingComponent") or "")},
    columns=(
        Column("Last Seen", _last_seen),
        Column("Type", cells.text("type")),
        Column("Reason", cells.text("reason")),
        Column("Object", _object),
        Column("Subobject", cells.text("involvedObject.fieldPath"), priority=1),
        Column("Source", _source, priority=1),
        Column("Message", _message),
        Column("First Seen", lambda obj, now: durations.since(_first(obj), now), priority=1),
        Column("Count", _count, "integer", priority=1),
        Column("Name", cells.text("metadata.name"), format="name", priority=1),
    ),
)
KIND_EVENTS = Kind(
    "events.k8s.io",
    "v1",
    "Event",
    "events",
    short_names=("ev",),
    selectable=cells.selectable(
        *(f"regarding.{name}" for name in _ABOUT), "reason", "reportingController", "type"
    ),
    storage=("", "v1"),
    to_storage=_to_storage,
    from_storage=_from_storage,
)
