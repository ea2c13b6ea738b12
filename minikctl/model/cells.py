"""What table columns and field selectors read from objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from minikctl.model import durations, objects, selectors
from minikctl.model.kind import Column
from minikctl.model.objects import Object

NONE = "<none>"
SHOWN_ITEMS = 3
"""So many hosts or addresses are shown in one cell; the rest are counted."""

Cell = Callable[[Object, datetime], Any]


def at(obj: Any, path: str) -> Any:
    """Return what is at the dotted path, None if there is nothing."""
    for step in path.split("."):
        if not isinstance(obj, dict):
            return None
        obj = obj.get(step)
    return obj


def text(path: str, otherwise: str = "") -> Cell:
    """Return a cell that shows the field at the path, or ``otherwise``."""
    return lambda obj, _now: str(at(obj, path) or otherwise)


def number(path: str) -> Cell:
    """Return a cell that shows the number at the path, or 0."""
    return lambda obj, _now: int(at(obj, path) or 0)


def size(*paths: str) -> Cell:
    """Return a cell that shows how many items there are at the paths together."""
    return lambda obj, _now: sum(len(at(obj, path) or ()) for path in paths)


def selectable(
    *texts: str, flags: Iterable[str] = (), counts: Iterable[str] = ()
) -> dict[str, Callable[[Object], str]]:
    """Return the field-selector values at the paths, as text; flags and counts have theirs even if unset."""
    zeros = dict.fromkeys(texts, "") | dict.fromkeys(flags, "false") | dict.fromkeys(counts, "0")
    return {path: _reader(path, zero) for path, zero in zeros.items()}


def _reader(path: str, zero: str) -> Callable[[Object], str]:
    def read(obj: Object) -> str:
        value = at(obj, path)
        return str(value).lower() if isinstance(value, bool) else str(value or zero)

    return read


def limited(items: Sequence[str], total: int) -> str:
    """Return the first items, and how many more of ``total`` there are."""
    shown = ",".join(items[:SHOWN_ITEMS])
    return shown if total <= SHOWN_ITEMS else f"{shown} + {total - SHOWN_ITEMS} more..."


def joined(items: Iterable[Any], otherwise: str = NONE) -> str:
    """Return the items with commas between, or ``otherwise`` if there are none."""
    return ",".join(str(item) for item in items) or otherwise


def age(obj: Object, now: datetime) -> str:
    """Return how long ago the object was created."""
    return durations.since(objects.meta(obj).get("creationTimestamp"), now)


def flag(path: str, otherwise: bool = False) -> Cell:
    """Return a cell that shows the boolean at the path."""

    def cell(obj: Object, _now: datetime) -> bool:
        value = at(obj, path)
        return otherwise if value is None else bool(value)

    return cell


def given(path: str, otherwise: str) -> Cell:
    """Return a cell that shows what is at the path as it is, 0 and "" included, or ``otherwise``."""

    def cell(obj: Object, _now: datetime) -> Any:
        value = at(obj, path)
        return otherwise if value is None else value

    return cell


def label_map(path: str) -> Cell:
    """Return a cell that shows the labels at the path in one line."""
    return lambda obj, _now: str(selectors.of({"matchLabels": at(obj, path) or {}})) or NONE


def containers(field: str, template: str = "spec.template") -> Cell:
    """Return a cell that shows one field of each container of a pod template."""
    path = f"{template}.spec.containers"
    return lambda obj, _now: joined((each.get(field, "") for each in at(obj, path) or ()), "")


def label_selector(obj: Object, _now: datetime) -> str:
    """Return spec.selector, a metav1.LabelSelector, in one line."""
    return str(selectors.of(at(obj, "spec.selector") or {})) or NONE


NAME = Column("Name", lambda obj, _now: objects.name(obj), format="name")
AGE = Column("Age", age)
CREATED = Column("Created At", text("metadata.creationTimestamp"), "date")
CONTAINERS = Column("Containers", containers("name"), priority=1)
IMAGES = Column("Images", containers("image"), priority=1)
SELECTOR = Column("Selector", label_selector, priority=1)
