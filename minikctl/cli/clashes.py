"""``apply --overwrite=false``: fields that the files and somebody else have changed since they were applied last."""

from __future__ import annotations

import json

from minikctl import errors
from minikctl.cli import lastapplied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from minikctl.cli.selection import Target

ABSENT = object()
_OURS = ("apiVersion", "kind")


def refuse(wanted: dict[str, Any], current: dict[str, Any], target: Target) -> None:
    """Raise ``UsageError`` when applying would overwrite what others have changed since the last apply."""
    found = list(between(lastapplied.of(current), wanted, current))
    if found:
        lines = "".join(f"\n* {line}" for line in found)
        raise errors.UsageError(
            f"error: {target.title} was changed by others too, and --overwrite is false:{lines}"
        )


def between(before: Any, wanted: Any, current: Any) -> Iterator[str]:
    """Yield what is to be said of each field that is not as it was applied and not as it is wanted."""
    paths = {**_leaves(before), **_leaves(wanted)}
    past, new, now = _leaves(before), _leaves(wanted), _leaves(current)
    for path in paths:
        was, want, there = (found.get(path, ABSENT) for found in (past, new, now))
        if there not in (was, want):
            yield f"{path}: applied {_text(was)}, now {_text(there)}, in the file {_text(want)}"


def _text(value: Any) -> str:
    return "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False)


def _leaves(found: Any, path: str = "") -> dict[str, Any]:
    """Return the values below, by their paths; items of lists are known by their names if they have any."""
    if isinstance(found, dict) and found:
        at_top = path == ""
        pairs = [
            (f"{path}.{key}".lstrip("."), value)
            for key, value in found.items()
            if not (at_top and key in _OURS) and key != lastapplied.ANNOTATION
        ]
    elif (
        isinstance(found, list) and found and all(isinstance(item, dict) and "name" in item for item in found)
    ):
        pairs = [(f"{path}[{item['name']}]", item) for item in found]
    else:
        return {path: found}
    leaves: dict[str, Any] = {}
    for place, value in pairs:
        leaves |= _leaves(value, place)
    return leaves
