"""Objects of any kind, field by field."""

from __future__ import annotations

import re
from typing import Any

from minikctl.cli.output.describing import common
from minikctl.cli.output.describing.sheet import Sheet
from minikctl.model import objects

Object = dict[str, Any]

SHOWN_APART = ("name", "namespace", "labels", "annotations", "managedFields")
_ACRONYMS = ("API", "URL", "UID", "OSB", "GUID")


def describe(sheet: Sheet, obj: Object, reader: common.Reader) -> None:
    """Write every field of an object."""
    sheet.row(0, "Name:", objects.name(obj))
    sheet.row(0, "Namespace:", objects.namespace(obj))
    common.marks(sheet, obj)
    metadata = {key: value for key, value in objects.meta(obj).items() if key not in SHOWN_APART}
    shown = {key: value for key, value in obj.items() if key != "metadata"}
    _fields(sheet, 0, {**shown, "metadata": metadata})
    common.events(sheet, obj, reader)


def _fields(sheet: Sheet, level: int, found: Object) -> None:
    for key in sorted(found):
        value, title = found[key], _title(key)
        if isinstance(value, dict):
            sheet.row(level, f"{title}:")
            _fields(sheet, level + 1, value)
        elif isinstance(value, list):
            sheet.row(level, f"{title}:")
            _items(sheet, level + 1, value)
        else:
            sheet.row(level, f"{title}:", _scalar(value))


def _items(sheet: Sheet, level: int, found: list[Any]) -> None:
    for item in found:
        if isinstance(item, dict):
            _fields(sheet, level, item)
        elif isinstance(item, list):
            _items(sheet, level + 1, item)
        else:
            sheet.row(level, _scalar(item))


def _scalar(value: Any) -> str:
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _title(key: str) -> str:
    """Return ``apiVersion`` as ``API Version``; what has digits or dots stays as it is."""
    if not all(letter.isalpha() or letter == "-" for letter in key):
        return key
    # Runs of capitals, small letters and dashes; a run's last capital begins the word of the small letters after it.
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|-+", key)
    return " ".join(
        word.upper() if word.upper() in _ACRONYMS else word[:1].upper() + word[1:] for word in words
    )
