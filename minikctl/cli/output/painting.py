"""Colours for tables on a terminal: what is well is green, what is under way yellow, what is wrong red."""

from __future__ import annotations

from collections.abc import Sequence

from minikctl.cli import terminal
from minikctl.cli.output import table

RED, GREEN, YELLOW, DIM = 31, 32, 33, 2
WELL = frozenset(("Running", "Ready", "Bound", "Active", "Available", "Healthy", "True", "Approved,Issued"))
OVER = frozenset(("Completed", "Complete", "Succeeded", "Released"))
UNDER_WAY = frozenset(
    (
        "Pending", "ContainerCreating", "PodInitializing", "Terminating", "Suspended", "NotReady",
        "SchedulingGated", "Progressing", "Ready,SchedulingDisabled", "Unknown",
    )
)  # fmt: skip


def lines(header: Sequence[str], rows: Sequence[Sequence[str]], *, headed: bool) -> list[str]:
    """Return aligned lines whose states are in colour."""
    widths = table.Widths()
    shown = [list(header), *map(list, rows)] if headed else [*map(list, rows)]
    widths.learn(shown)
    found = [widths.line(header)] if headed else []
    for row in rows:
        padded = [cell.ljust(widths.known[number]) for number, cell in enumerate(row[:-1])]
        cells = [*padded, row[-1]] if row else []
        names = [*header, *[""] * len(cells)]
        painted = [_painted(names[number], row[number], text) for number, text in enumerate(cells)]
        found.append("".join(painted))
    return found


def _painted(column: str, value: str, text: str) -> str:
    color = _color(column, value)
    if not color:
        return text
    return terminal.painted(value, color) + text[len(value) :]


def _color(column: str, value: str) -> int:
    if column in ("STATUS", "PHASE", "AVAILABLE", "CONDITION"):
        return _of_state(value)
    if column in ("READY", "COMPLETIONS", "STATUS/READY"):
        have, slash, wanted = value.partition("/")
        if slash and have.isdecimal() and wanted.isdecimal():
            return GREEN if int(have) >= int(wanted) else YELLOW
    if column == "RESTARTS" and value.partition(" ")[0] not in ("0", ""):
        return YELLOW
    return 0


def _of_state(value: str) -> int:
    if value.isdecimal():
        return 0
    if value in WELL:
        return GREEN
    if value in OVER:
        return DIM
    if value in UNDER_WAY or (value.startswith("Init:") and "Err" not in value and "BackOff" not in value):
        return YELLOW
    return RED if value else 0
