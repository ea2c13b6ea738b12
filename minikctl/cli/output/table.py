"""Server-side tables as text, aligned as kubectl aligns them."""

from __future__ import annotations

from minikctl.cli import terminal
from minikctl.client.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

PADDING = 3
MINIMUM = 6


class Style(Record):
    """What is shown beside the server's columns."""

    wide: bool = False
    headers: bool = True
    namespaces: bool = False
    labels: bool = False
    label_columns: tuple[str, ...] = ()
    kind_prefix: str = ""


class Widths:
    """Column widths that only grow, so that the lines of a watch stay aligned."""

    def __init__(self, *, padding: int = PADDING, minimum: int = MINIMUM) -> None:
        self.known: list[int] = []
        self.padding = padding
        self.minimum = minimum

    def learn(self, rows: Sequence[Sequence[str]]) -> None:
        """Take the rows' cells into account."""
        for row in rows:
            self.known += [self.minimum] * (len(row) - len(self.known))
            for number, cell in enumerate(row):
                self.known[number] = max(self.known[number], len(cell) + self.padding)

    def line(self, row: Sequence[str]) -> str:
        """Return the row as one line; the last cell is not padded."""
        padded = [cell.ljust(self.known[number]) for number, cell in enumerate(row[:-1])]
        return "".join([*padded, row[-1]]) if row else ""


def align(rows: Sequence[Sequence[str]], *, padding: int = PADDING, minimum: int = MINIMUM) -> list[str]:
    """Return the rows as aligned lines."""
    safe = [[terminal.escaped(cell) for cell in row] for row in rows]
    widths = Widths(padding=padding, minimum=minimum)
    widths.learn(safe)
    return [widths.line(row) for row in safe]


def of_object(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a table for an object, or a list of some, that the server does not print: names and ages."""
    members = obj.get("items")
    if not isinstance(members, list) or (obj.get("metadata") or {}).get("name"):
        members = [obj]
    columns = [{"name": "Name"}, {"name": "Age"}]
    return {
        "columnDefinitions": columns,
        "metadata": {"continue": (obj.get("metadata") or {}).get("continue")},
        "rows": [{"cells": _name_and_age(each), "object": each} for each in members],
    }


def _name_and_age(obj: dict[str, Any]) -> list[str]:
    from datetime import UTC, datetime

    from minikctl.model import durations, objects

    metadata = obj.get("metadata") or {}
    created = objects.parse_time(metadata.get("creationTimestamp"))
    age = durations.human((datetime.now(UTC) - created).total_seconds()) if created else "<unknown>"
    return [metadata.get("name", ""), age]


def header(table: dict[str, Any], style: Style) -> list[str]:
    """Return the header cells."""
    shown = [c["name"].upper() for c in table.get("columnDefinitions") or () if _is_shown(c, style)]
    extra = [key.rpartition("/")[2].upper() for key in style.label_columns]
    before = ["NAMESPACE"] if style.namespaces else []
    return before + shown + extra + (["LABELS"] if style.labels else [])


def rows(table: dict[str, Any], style: Style) -> list[list[str]]:
    """Return the text cells of the table's rows."""
    columns = table.get("columnDefinitions") or []
    picks = [number for number, column in enumerate(columns) if _is_shown(column, style)]
    return [_row(row, picks, columns, style) for row in table.get("rows") or ()]


def _is_shown(column: dict[str, Any], style: Style) -> bool:
    return style.wide or not column.get("priority")


def _row(
    row: dict[str, Any], picks: Sequence[int], columns: Sequence[dict[str, Any]], style: Style
) -> list[str]:
    cells = row.get("cells") or []
    metadata = (row.get("object") or {}).get("metadata") or {}
    labels = metadata.get("labels") or {}
    shown = [_text(cells[number]) for number in picks if number < len(cells)]
    if style.kind_prefix and shown and columns[picks[0]].get("name") == "Name":
        shown[0] = f"{style.kind_prefix}/{shown[0]}"
    before = [metadata.get("namespace") or ""] if style.namespaces else []
    extra = [labels.get(key, "") for key in style.label_columns]
    return before + shown + extra + ([_labels(labels)] if style.labels else [])


def _labels(labels: dict[str, str]) -> str:
    return terminal.escaped(",".join(f"{key}={labels[key]}" for key in sorted(labels))) or "<none>"


def _text(cell: Any) -> str:
    if cell is None:
        return ""  # a column of a custom kind whose field is not there
    if isinstance(cell, bool):
        return str(cell).lower()
    return one_line(str(cell))


def one_line(text: str) -> str:
    """Return the first line, marked when there are more, without commands to a terminal: they would break a table."""
    if text.isprintable():
        return text
    end = min((place for mark in "\f\n\r" if (place := text.find(mark)) >= 0), default=len(text))
    head = text[:end]
    return terminal.escaped(head) + ("..." if len(head) < len(text) else "")


def sorter(values: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """Return a sort key that orders missing values first and mixed types by text."""

    def key(obj: dict[str, Any]) -> tuple[int, float, str]:
        value = values(obj)
        if value is None:
            return 0, 0.0, ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return 1, float(value), ""
        return 2, 0.0, str(value)

    return key
