"""Arbitrary objects: every JSON type right, all else by chance."""

from __future__ import annotations

import random
from typing import Any

from minikctl.model import schema
from minikctl.model.kinds.base import Kind
from minikctl.model.structure import Node

DEPTH = 12
WORDS = [
    "",
    "a",
    "A",
    "-",
    "1.2.3.4",
    "*.x",
    "None",
    "/x",
    "a/b",
    "25%",
    "x%",
    "Always",
    "In",
    "Exists",
    "IPv4",
    "Local",
]
SCALARS: dict[str, list[Any]] = {
    "quantity": ["1", "500m", "1Gi", 1, 0.5, "-1"],
    "int-or-string": [0, 1, 80, -1, 70000, "a", "25%", "", "x"],
    "date-time": ["2026-01-01T00:00:00Z"],
    "micro-time": ["2026-01-01T00:00:00.000001Z"],
    "byte": ["", "eA==", "e30="],
    "integer": [0, 1, -1, 5, 80, 70000],
    "number": [1.5],
    "boolean": [True, False],
    "string": WORDS,
}


def obj(kind: Kind, chance: random.Random) -> dict[str, Any]:
    """Return an object of that kind that can be decoded; it is rarely sound."""
    made = _struct(schema.root(kind), chance, 0)
    return {**made, "apiVersion": kind.api_version, "kind": kind.kind}


def _value(node: Node, chance: random.Random, depth: int) -> Any:
    if chance.random() < 0.02:
        return None
    if node.is_open and not node.type:
        return chance.choice([{"a": [1]}, "x", []])
    if node.format in SCALARS:
        return chance.choice(SCALARS[node.format])
    if node.values:
        keys = chance.sample([*WORDS, "app", "cpu"], 2)
        return {key: _value(node.values, chance, depth + 1) for key in keys}
    if node.items:
        return [_value(node.items, chance, depth + 1) for _ in range(chance.randint(0, 2))]
    if node.type == "object":
        return _struct(node, chance, depth)
    allowed = node.schema.get("enum")
    return chance.choice(allowed if allowed and chance.random() < 0.8 else SCALARS[node.type])


def _struct(node: Node, chance: random.Random, depth: int) -> dict[str, Any]:
    likely = (0.9 if depth < 2 else 0.5 if depth < 5 else 0.25) * (0.5 if len(node.properties) > 12 else 1)
    made = {}
    for name, each in node.properties.items():
        probability = 0.9 if name in node.schema.get("required", ()) else likely
        if depth < DEPTH and chance.random() < probability:
            made[name] = _value(each, chance, depth + 1)
    return made
