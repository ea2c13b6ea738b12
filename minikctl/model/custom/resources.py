"""Resources inside custom objects (``x-kubernetes-embedded-resource``) have an apiVersion and a kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, decoding, metadata, names
from minikctl.model.custom.structural import Structural
from minikctl.model.kind import Cause
from minikctl.model.structure import Node


def check(node: Structural, meta: Node, value: Any, path: str = "") -> Iterator[Cause]:
    """Yield what is wrong with embedded resources; the root is judged elsewhere.

    ``meta`` is ObjectMeta's tree.
    """
    if isinstance(value, dict):
        if node.is_resource and not node.is_root:
            yield from _embedded(value, meta, path)
        for name, inner in value.items():
            below = node.child(name)
            if below is not None:
                here = causes.child(path, name) if name in node.properties else f"{path}[{name}]"
                yield from check(below, meta, inner, here)
    elif isinstance(value, list) and node.items is not None:
        for index, inner in enumerate(value):
            yield from check(node.items, meta, inner, f"{path}[{index}]")


def _embedded(value: dict[str, Any], meta: Node, path: str) -> Iterator[Cause]:
    for field, rule in (("apiVersion", _api_version), ("kind", _kind)):
        said, where = value.get(field), f"{path}.{field}"
        if field in value and not isinstance(said, str):
            yield causes.invalid(where, said, "must be a string")
        elif not isinstance(said, str) or not said:
            yield causes.required(where)
        elif detail := rule(said):
            yield causes.invalid(where, said, detail)
    if (found := value.get("metadata")) is not None:
        where = f"{path}.metadata"
        if fault := decoding.embedded_meta_error(meta, found):
            yield causes.invalid(where, found, fault)
        else:
            yield from metadata.embedded(found, where)


def _api_version(said: str) -> str:
    return f"unexpected GroupVersion string: {said}" if said.count("/") > 1 else ""


def _kind(said: str) -> str:
    faults = names.dns_1035_label(said.lower())
    return "may have mixed case, but should otherwise match: " + ",".join(faults) if faults else ""
