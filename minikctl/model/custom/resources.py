"""Resources inside custom objects (``x-kubernetes-embedded-resource``) have an apiVersion and a kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, metadata, names
from minikctl.model.custom.structural import Structural
from minikctl.model.kind import Cause


def check(node: Structural, value: Any, path: str = "") -> Iterator[Cause]:
    """Yield what is wrong with embedded resources; the root is judged elsewhere."""
    if isinstance(value, dict):
        if node.is_resource and not node.is_root:
            yield from _embedded(value, path)
        for name, inner in value.items():
            below = node.child(name)
            if below is not None:
                here = causes.child(path, name) if name in node.properties else f"{path}[{name}]"
                yield from check(below, inner, here)
    elif isinstance(value, list) and node.items is not None:
        for index, inner in enumerate(value):
            yield from check(node.items, inner, f"{path}[{index}]")


def _embedded(value: dict[str, Any], path: str) -> Iterator[Cause]:
    for field in ("apiVersion", "kind"):
        said = value.get(field)
        if said is not None and not isinstance(said, str):
            yield causes.invalid(causes.child(path, field), said, "must be a string")
        elif not said:
            yield causes.required(causes.child(path, field))
    kind = value.get("kind")
    if isinstance(kind, str) and kind:
        faults = names.dns_1035_label(kind.lower())
        if faults:
            detail = "may have mixed case, but should otherwise match: " + ",".join(faults)
            yield causes.invalid(causes.child(path, "kind"), kind, detail)
    meta = value.get("metadata")
    if isinstance(meta, dict):
        where = causes.child(path, "metadata")
        if isinstance(meta.get("labels"), dict):
            yield from metadata.labels(meta["labels"], f"{where}.labels")
        if isinstance(meta.get("annotations"), dict):
            yield from metadata.annotation_map(meta, f"{where}.annotations")
