"""What differs between two versions of an object, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]

BOOKKEEPING = frozenset(
    ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink", "deletionTimestamp",
     "deletionGracePeriodSeconds")
)  # fmt: skip
"""Parts of the metadata that the server writes."""

LONGEST = 60


def content(obj: Object) -> dict[str, Any]:
    """Return what a user says of the object: all but its status and the server's bookkeeping."""
    kept = {key: value for key, value in obj.items() if key != "status"}
    metadata = obj.get("metadata") or {}
    kept["metadata"] = {key: value for key, value in metadata.items() if key not in BOOKKEEPING}
    return kept


def between(before: Object, after: Object) -> list[str]:
    """Return a phrase for each field that differs: ``spec.replicas: 2 → 3``."""
    left, right = dict(before), dict(after)
    for side in (left, right):
        metadata = side.get("metadata") or {}
        side["metadata"] = {key: value for key, value in metadata.items() if key not in BOOKKEEPING}
    return list(_changes("", left, right))


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _field(_joined(path, key), before, after, key)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _items(path, before, after)
    else:
        yield f"{path}: {_shown(before)} → {_shown(after)}"


def _field(path: str, before: Object, after: Object, key: str) -> Iterator[str]:
    if key not in before:
        yield f"{path}: + {_shown(after[key])}"
    elif key not in after:
        yield f"{path}: - {_shown(before[key])}"
    else:
        yield from _changes(path, before[key], after[key])


def _items(path: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    """Compare by name (or type) where items have one, else by place."""
    left, right = _keyed(before), _keyed(after)
    for key in dict.fromkeys((*left, *right)):
        place = f"{path}[{key}]"
        if key not in left:
            yield f"{place}: + {_shown(right[key])}"
        elif key not in right:
            yield f"{place}: - {_shown(left[key])}"
        else:
            yield from _changes(place, left[key], right[key])


def _keyed(items: list[Any]) -> dict[str, Any]:
    for field in ("name", "type", "uid", "ip"):
        keys = [item.get(field) for item in items if isinstance(item, Mapping)]
        if len(keys) == len(items) and all(keys) and len(set(map(str, keys))) == len(keys):
            return {str(key): item for key, item in zip(keys, items, strict=True)}
    return {str(number): item for number, item in enumerate(items)}


def _joined(path: str, key: str) -> str:
    if "." in key or "/" in key:
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def writer(before: Object | None, after: Object) -> str:
    """Return who made the newer version: the manager whose entry is new or newer."""
    known = {_identity(entry): entry for entry in _managers(before or {})}
    for entry in sorted(_managers(after), key=lambda entry: str(entry.get("time") or ""), reverse=True):
        if known.get(_identity(entry)) != entry:
            return str(entry.get("manager"))
    # Who writes again within a second leaves the same entry: it is one that owns what changed.
    owners = (each for each in _managers(after) if _owns(each.get("fieldsV1") or {}, before or {}, after))
    newest = max(owners, key=lambda entry: str(entry.get("time") or ""), default={})
    return str(newest.get("manager") or "")


def _owns(fields: Object, before: Any, after: Any) -> bool:
    """Tell whether the values differ in one of the fields."""
    if before == after:
        return False
    names = [key[2:] for key in fields if key.startswith("f:")]
    if not names:
        return True
    return any(_owns(fields[f"f:{name}"], _part(before, name), _part(after, name)) for name in names)


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _managers(obj: Object) -> list[dict[str, Any]]:
    return list((obj.get("metadata") or {}).get("managedFields") or ())


def _identity(entry: Object) -> tuple[Any, ...]:
    return entry.get("manager"), entry.get("operation"), entry.get("subresource")
