"""What becomes of an object before it is judged: unknown fields go, defaults come, null means absent."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, schema
from minikctl.model.custom.structural import TYPE_META, Structural
from minikctl.model.structure import Node

ANY_META = Node({"type": "object"}, "", "ObjectMeta")
"""The tree of a metadata about which nothing is said."""


def unknown(
    node: Structural, meta: Node, value: Any, path: str = ""
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield (object, key, path) of each field that pruning removes; ``meta`` is ObjectMeta's tree."""
    if isinstance(value, list):
        if node.items is not None:
            for index, item in enumerate(value):
                yield from unknown(node.items, meta, item, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        here = causes.child(path, key)
        if node.is_resource and key in TYPE_META:
            if key == "metadata":
                yield from schema.unknown_below(meta, inner, here)
            continue
        below = node.child(key)
        if below is not None:
            yield from unknown(below, meta, inner, here)
        elif not node.keeps_unknown:
            yield value, key, here


def prune(node: Structural, meta: Node, value: Any) -> None:
    """Remove, in place, what the schema does not know."""
    for holder, key, _ in list(unknown(node, meta, value)):
        del holder[key]


def complete(node: Structural, value: Any) -> None:
    """Fill in defaults, in place, and remove nulls that the schema does not allow."""
    if node.has_defaults:
        _default(node, value)
    _drop_nulls(node, value)


def _is_absent(node: Structural | None, value: Any) -> bool:
    return value is None and node is not None and not node.is_nullable


def _default(node: Structural, value: Any) -> None:
    if isinstance(value, dict):
        for name, default in node.defaults.items():
            if name not in value or _is_absent(node.properties[name], value[name]):
                value[name] = copy.deepcopy(default)
        for name, inner in value.items():
            below = node.child(name)
            if below is None:
                continue
            if name not in node.properties and _is_absent(below, inner):
                value[name] = inner = copy.deepcopy(below.schema.get("default"))
            _default(below, inner)
    elif isinstance(value, list) and node.items is not None:
        for index, inner in enumerate(value):
            if _is_absent(node.items, inner):
                value[index] = copy.deepcopy(node.items.schema.get("default"))
            _default(node.items, value[index])


def _drop_nulls(node: Structural, value: Any) -> None:
    if isinstance(value, dict):
        for name in [name for name, inner in value.items() if _is_absent(node.child(name), inner)]:
            del value[name]
        for name, inner in value.items():
            below = node.child(name)
            if below is not None:
                _drop_nulls(below, inner)
    elif isinstance(value, list) and node.items is not None:
        for inner in value:
            _drop_nulls(node.items, inner)
