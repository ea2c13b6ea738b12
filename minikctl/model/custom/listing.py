"""What ``x-kubernetes-list-type`` promises: the items of sets, and the keys of maps, occur once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes
from minikctl.model.custom.structural import Structural
from minikctl.model.kind import Cause


def check(node: Structural, value: Any, path: str) -> Iterator[Cause]:
    """Yield what occurs twice."""
    if isinstance(value, dict):
        for name, inner in value.items():
            below = node.properties.get(name)
            if below is not None:
                yield from check(below, inner, causes.child(path, name))
            elif node.values is not None:
                yield from check(node.values, inner, f"{path}[{name}]")
    elif isinstance(value, list):
        if node.list_type == "set":
            yield from _repeated(value, value, path)
        elif node.list_type == "map":
            yield from _map(node.map_keys, value, path)
        if node.items is not None:
            for index, inner in enumerate(value):
                yield from check(node.items, inner, f"{path}[{index}]")


def _map(keys: Sequence[str], items: list[Any], path: str) -> Iterator[Cause]:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            yield causes.invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")
            return
    found = [{key: item[key] for key in keys if key in item} if item else {} for item in items]
    yield from _repeated(found, found, path)


def _repeated(identities: list[Any], shown: list[Any], path: str) -> Iterator[Cause]:
    """Yield the second appearance of each value; further ones say nothing new."""
    seen: dict[str, int] = {}
    for index, identity in enumerate(identities):
        text = json.dumps(identity, sort_keys=True)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            yield causes.duplicate(f"{path}[{index}]", shown[index])
