"""What descriptions of all kinds share: labels, annotations, times, selectors, events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import durations, objects

Object = dict[str, Any]

HIDDEN_ANNOTATIONS = ("kubectl.kubernetes.io/last-applied-configuration",)
WIDE = 140


class Reader(Protocol):
    """Access to what else a description needs; what cannot be read counts as absent."""

    shows_events: bool

    def listed(self, resource: str, namespace: str, **query: str) -> list[Object]:
        """Return objects of a resource."""
        ...

    def one(self, resource: str, namespace: str, name: str) -> Object | None:
        """Return an object."""
        ...

    def events(self, obj: Object) -> list[Object]:
        """Return the object's events."""
        ...


def head(sheet: Sheet, obj: Object, *, namespaced: bool = True) -> None:
    """Write name, namespace, labels and annotations."""
    sheet.row(0, "Name:", objects.name(obj))
    if namespaced:
        sheet.row(0, "Namespace:", objects.namespace(obj))
    marks(sheet, obj)


def marks(sheet: Sheet, obj: Object) -> None:
    """Write labels and annotations."""
    labels(sheet, "Labels", objects.labels(obj))
    notes(sheet, objects.annotations(obj))


def labels(sheet: Sheet, title: str, found: Mapping[str, str] | None) -> None:
    """Write a map of labels, one a line."""
    column(sheet, title, [f"{key}={value}" for key, value in sorted((found or {}).items())])


def column(sheet: Sheet, title: str, lines: Sequence[str], level: int = 0) -> None:
    """Write lines under one another beside a title."""
    sheet.row(level, f"{title}:", lines[0] if lines else "<none>")
    for line in lines[1:]:
        sheet.row(level, "", line)


def notes(sheet: Sheet, found: Mapping[str, str], title: str = "Annotations:") -> None:
    """Write the annotations, long and multi-line ones below their keys."""
    shown = {key: value for key, value in sorted(found.items()) if key not in HIDDEN_ANNOTATIONS}
    if not shown:
        sheet.row(0, title, "<none>")
    for key, value in shown.items():
        text = value.removesuffix("\n")
        if len(text) + len(key) + 2 > WIDE or "\n" in text:
            sheet.row(0, title, f"{key}:")
            for line in text.split("\n"):
                sheet.row(0, "", "  " + _shortened(line, WIDE - 2))
        else:
            sheet.row(0, title, f"{key}: {text}")
        title = ""


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "..."


def moment(text: str | None) -> str:
    """Return a time as RFC 1123 has it, in UTC."""
    found = objects.parse_time(text)
    return found.strftime("%a, %d %b %Y %H:%M:%S +0000") if found else "<unset>"


def age(text: str | None) -> str:
    """Return how long ago that was."""
    found = objects.parse_time(text)
    return durations.human((datetime.now(UTC) - found).total_seconds()) if found else "<unknown>"


def selector(found: Mapping[str, Any] | None) -> str:
    """Return a label selector in one line."""
    if not found:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((found.get("matchLabels") or {}).items())]
    for wanted in found.get("matchExpressions") or ():
        values = ",".join(sorted(wanted.get("values") or ()))
        parts.append(
            {
                "In": f"{wanted['key']} in ({values})",
                "NotIn": f"{wanted['key']} notin ({values})",
                "Exists": wanted["key"],
                "DoesNotExist": f"!{wanted['key']}",
            }[wanted["operator"]]
        )
    return ",".join(sorted(parts)) or "<none>"


def plain_selector(found: Mapping[str, str] | None) -> str:
    """Return a map of labels in one line."""
    return ",".join(f"{key}={value}" for key, value in sorted((found or {}).items())) or "<none>"


def events(sheet: Sheet, obj: Object, reader: Reader) -> None:
    """Write the object's events, the last to happen at the end."""
    if not reader.shows_events:
        return
    found = reader.events(obj)
    if not found:
        sheet.row(0, "Events:", "<none>")
        return
    sheet.row(0, "Events:")
    sheet.row(1, "Type", "Reason", "Age", "From", "Message")
    sheet.row(1, "----", "------", "----", "----", "-------")
    for event in sorted(found, key=_last):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        message = _place(event) + str(event.get("message") or "").strip()
        sheet.row(1, event.get("type", ""), event.get("reason", ""), event_age(event), source, message)


def _place(event: Object) -> str:
    """Return which part of the object the event is about, if it says so."""
    path = (event.get("involvedObject") or {}).get("fieldPath")
    return f"{path}: " if path else ""


def _last(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def event_age(event: Object) -> str:
    """Return when it happened last and, if more than once, how often since when."""
    first, series = event.get("firstTimestamp") or event.get("eventTime"), event.get("series")
    if series:
        last, count = series.get("lastObservedTime"), series.get("count") or 1
    else:
        last, count = event.get("lastTimestamp"), event.get("count") or 1
    if count > 1:
        return f"{age(last)} (x{count} over {age(first)})"
    return age(first)
