"""The shape of a kind: a tree of nodes over the JSON Schema files, built as far as it is walked."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from minikctl.model.kind import Kind

_CHECKOUT = Path(__file__).parents[2] / "schemas"
_INSTALLED = Path(__file__).parents[1] / "_data" / "schemas"


def folder() -> Path:
    """Return the folder of the schema files: in the package when installed, at the top of a checkout else."""
    return folder_in(_INSTALLED)


def folder_in(installed: Path) -> Path:
    """Return the folder that is named if it is there, else the checkout's."""
    return installed if installed.is_dir() else _CHECKOUT


@functools.cache
def document(path: str) -> dict[str, Any]:
    """Return the schema file at that path below the schema folder."""
    content: dict[str, Any] = json.loads((folder() / path).read_bytes())
    return content


def path_of(kind: Kind) -> str:
    """Return the path of the kind's schema file below the schema folder."""
    return f"{kind.group or 'core'}/{kind.version}/{kind.kind}.json"


@functools.cache
def of(kind_path: str) -> Node:
    """Return the root of the tree for the schema file at that path."""
    schema = document(kind_path)
    return Node(schema, kind_path, schema["title"])


@functools.cache
def _target(path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document(path)["$defs"][name]
    return found


def resolve(reference: str, home: str) -> tuple[dict[str, Any], str, str]:
    """Return the schema, its file and its name that a ``$ref`` in the file ``home`` points to."""
    file, _, pointer = reference.partition("#/$defs/")
    parts = home.split("/")[:-1]
    for step in file.split("/"):
        if step == "..":
            parts.pop()
        else:
            parts.append(step)
    path = "/".join(parts)
    if not pointer:
        whole = document(path)
        return whole, path, whole["title"]
    return _target(path, pointer), path, pointer


def _build(schema: Mapping[str, Any], home: str) -> Node:
    if "$ref" not in schema:
        return Node(schema, home, "")
    target, path, name = resolve(schema["$ref"], home)
    return Node({**target, **schema}, path, name)


_SHOWN = {
    "ClusterRole": ("rules",),
    "Role": ("rules",),
    "CSINodeSpec": ("drivers",),
    "EndpointSlice": ("endpoints", "ports"),
    "HPAScalingRules": ("policies",),
    "LimitRangeSpec": ("limits",),
    "MutatingWebhook": ("admissionReviewVersions",),
    "PolicyRule": ("verbs",),
    "ValidatingWebhook": ("admissionReviewVersions",),
}
"""Fields by type that Kubernetes' types write even when they are empty, or whose validation sees it."""


@dataclass(frozen=True, eq=False)
class Node:
    """One place in an object: what its schema says, ``$ref``s followed."""

    schema: Mapping[str, Any]
    home: str
    type_name: str
    """The name of the shared type, "" for a type written in place."""

    @functools.cached_property
    def properties(self) -> dict[str, Node]:
        """The fields of a struct by name."""
        return {name: _build(each, self.home) for name, each in self.schema.get("properties", {}).items()}

    @functools.cached_property
    def items(self) -> Node | None:
        """What a list holds."""
        return _build(self.schema["items"], self.home) if "items" in self.schema else None

    @functools.cached_property
    def values(self) -> Node | None:
        """What a map holds."""
        inner = self.schema.get("additionalProperties")
        return _build(inner, self.home) if isinstance(inner, dict) else None

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """The defaults of a struct's fields."""
        return {
            name: each.schema["default"] for name, each in self.properties.items() if "default" in each.schema
        }

    @functools.cached_property
    def collections(self) -> frozenset[str]:
        """The fields of a struct that are lists or maps, and are left out when they are empty."""
        shown = (*self.schema.get("required", ()), *_SHOWN.get(self.type_name, ()))
        return frozenset(
            name
            for name, each in self.properties.items()
            if (each.items or (each.values and not each.properties)) and not each.is_open
        ).difference(shown)

    @functools.cached_property
    def is_open(self) -> bool:
        """Whether anything may stand here, and is kept as it is."""
        return bool(self.schema.get("x-kubernetes-preserve-unknown-fields"))

    @functools.cached_property
    def type(self) -> str:
        """The JSON type: object, array, string, integer, number, boolean, or "" for several."""
        found = self.schema.get("type", "")
        return found if isinstance(found, str) else ""

    @functools.cached_property
    def format(self) -> str:
        """int32, int64, double, date-time, micro-time, byte, quantity, int-or-string or ""."""
        return str(self.schema.get("format", ""))

    @functools.cached_property
    def go_type(self) -> str:
        """The Go type that decoding errors name."""
        if self.format == "byte":
            return "[]uint8"
        if self.items:
            return f"[]{self.items.go_type}"
        if self.values:
            return f"map[string]{self.values.go_type}"
        if self.type_name:
            return f"{self.home.split('/')[1]}.{self.type_name}"
        plain = {"boolean": "bool", "integer": self.format, "number": "float64"}
        return plain.get(self.type, self.type)

    @functools.cached_property
    def grain(self) -> Literal["scalar", "atomic", "map", "keyed", "set"]:
        """How a value is merged and owned: as one, field by field, or item by item."""
        if self.items is not None:
            kind = self.schema.get("x-kubernetes-list-type", "atomic")
            return "keyed" if kind == "map" else "set" if kind == "set" else "atomic"
        if self.type != "object":
            return "scalar"
        merged = self.properties or self.values or self.keeps_unknown
        return "map" if merged and self.schema.get("x-kubernetes-map-type") != "atomic" else "atomic"

    @functools.cached_property
    def list_keys(self) -> tuple[str, ...]:
        """The fields that tell the items of a keyed list apart."""
        return tuple(self.schema.get("x-kubernetes-list-map-keys", ()))

    @functools.cached_property
    def keeps_unknown(self) -> bool:
        """Whether fields that the schema does not name are kept."""
        return bool(self.schema.get("x-kubernetes-preserve-unknown-fields"))

    def child(self, step: str) -> Node | None:
        """Return the node one step down, by field name or map key."""
        return self.properties.get(step) or self.values
