"""Laws of pruning and defaulting, for schemas and objects by chance."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model.custom import checking, shaping
from minikctl.model.custom.structural import Structural

NAMES = st.sampled_from(["a", "b", "c", "metadata", "kind"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "x", "y"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)


def _leaf(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["string", "integer", "boolean"]))
    found: dict[str, Any] = {"type": kind}
    if draw(st.booleans()):
        found["default"] = {"string": "d", "integer": 7, "boolean": True}[kind]
    if draw(st.booleans()):
        found["nullable"] = True
    return found


@st.composite
def schemas(draw: Any, depth: int = 3) -> dict[str, Any]:
    shape = draw(st.sampled_from(["leaf", "object", "map", "list", "open", "any"]))
    if depth == 0 or shape == "leaf":
        return _leaf(draw)
    if shape == "any":
        return {"x-kubernetes-int-or-string": True}
    if shape == "list":
        return {"type": "array", "items": draw(schemas(depth - 1))}
    if shape == "map":
        return {"type": "object", "additionalProperties": draw(schemas(depth - 1))}
    found: dict[str, Any] = {
        "type": "object",
        "properties": draw(st.dictionaries(NAMES, schemas(depth - 1), max_size=3)),
    }
    if shape == "open":
        found["x-kubernetes-preserve-unknown-fields"] = True
    return found


@given(schemas(), VALUES)
@settings(max_examples=300, deadline=None)
def test_pruning_keeps_what_is_known_and_is_done_once(schema: Any, value: Any) -> None:
    node, once = Structural(schema), copy.deepcopy(value)
    unknown = [path for _, _, path in shaping.unknown(node, shaping.ANY_META, value)]
    shaping.prune(node, shaping.ANY_META, once)
    assert list(shaping.unknown(node, shaping.ANY_META, once)) == []
    assert bool(unknown) == (once != value)
    twice = copy.deepcopy(once)
    shaping.prune(node, shaping.ANY_META, twice)
    assert twice == once


@given(schemas(), VALUES)
@settings(max_examples=300, deadline=None)
def test_completing_is_done_once_and_adds_nothing_unknown(schema: Any, value: Any) -> None:
    node, once = Structural(schema), copy.deepcopy(value)
    shaping.prune(node, shaping.ANY_META, once)
    shaping.complete(node, once)
    assert list(shaping.unknown(node, shaping.ANY_META, once)) == []
    twice = copy.deepcopy(once)
    shaping.complete(node, twice)
    assert twice == once


@given(schemas(), VALUES)
@settings(max_examples=300, deadline=None)
def test_what_was_accepted_is_accepted_after_completion(schema: Any, value: Any) -> None:
    node, done = Structural(schema), copy.deepcopy(value)
    if not list(checking.check(node, value)):
        shaping.complete(node, done)
        assert not list(checking.check(node, done))
    assert not list(checking.check(node, value, old=value)) or value is None, (
        "what did not change is tolerated"
    )


def test_defaults_are_not_shared() -> None:
    node = Structural(
        {"type": "object", "properties": {"l": {"type": "array", "default": [], "items": {"type": "string"}}}}
    )
    one: dict[str, Any] = {}
    other: dict[str, Any] = {}
    shaping.complete(node, one)
    shaping.complete(node, other)
    one["l"].append("x")
    assert other == {"l": []}


def test_null_means_absent_unless_it_is_allowed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "gone": {"type": "string"},
            "filled": {"type": "string", "default": "d"},
            "kept": {"type": "string", "nullable": True, "default": "d"},
        },
    }
    value: dict[str, Any] = {"gone": None, "filled": None, "kept": None}
    shaping.complete(Structural(schema), value)
    assert value == {"filled": "d", "kept": None}


def test_null_in_maps_and_lists_is_their_default() -> None:
    inner = {"type": "string", "default": "d"}
    schema = {
        "type": "object",
        "properties": {
            "map": {"type": "object", "additionalProperties": inner},
            "list": {"type": "array", "items": inner},
            "bare": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    value: dict[str, Any] = {
        "map": {"a": None, "b": "x"},
        "list": [None, "x"],
        "bare": {"a": None, "b": "x"},
        "odd": {"a": None},
    }
    shaping.complete(Structural(schema), value)
    assert value == {
        "map": {"a": "d", "b": "x"},
        "list": ["d", "x"],
        "bare": {"b": "x"},
        "odd": {"a": None},
    }


def test_embedded_resources_keep_what_every_resource_has() -> None:
    schema = {
        "type": "object",
        "properties": {
            "t": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"spec": {"type": "object"}},
            }
        },
    }
    value = {"t": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"a": 1}, "other": 1}}
    shaping.prune(Structural(schema), shaping.ANY_META, value)
    assert value == {"t": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {}}}
