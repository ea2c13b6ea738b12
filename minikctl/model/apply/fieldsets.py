"""Sets of field paths, kept as FieldsV1 has them: ``{"f:spec": {"f:replicas": {}}}``.

A key is one step of a path: ``f:<field>``, ``k:<keys as JSON>`` (an item of a keyed list), ``v:<value as
JSON>`` (an item of a set), ``i:<index>``.  A node is in the set itself when it is ``{}`` or has the key ".".
Sets are never changed in place, so that they can share their parts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

FieldSet = dict[str, Any]
"""The empty set is ``{}`` at the root."""

SELF = "."
_NONE: FieldSet = {}
_RANKS = {".": 0, "f": 1, "k": 2, "v": 3, "i": 4}


def field(name: str) -> str:
    """Return the step to a field of a struct or map."""
    return f"f:{name}"


def item(keys: Mapping[str, Any]) -> str:
    """Return the step to the item of a keyed list that has those keys."""
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def value(found: Any) -> str:
    """Return the step to an item of a set."""
    return "v:" + orjson.dumps(found).decode()


def of(*paths: tuple[str, ...]) -> FieldSet:
    """Return the set of those paths, each given as the names of its fields."""
    found: FieldSet = {}
    for path in paths:
        one: FieldSet = {}
        for name in reversed(path):
            one = {field(name): one}
        found = union(found, one)
    return found


def _is_member(node: FieldSet) -> bool:
    return not node or SELF in node


def _node(is_member: bool, below: FieldSet) -> FieldSet | None:
    """Return a node, None when nothing is left of it."""
    if is_member:
        return {SELF: {}, **below} if below else {}
    return below or None


def _below(node: FieldSet) -> FieldSet:
    return {step: inner for step, inner in node.items() if step != SELF} if SELF in node else node


def has(found: FieldSet, steps: tuple[str, ...]) -> bool:
    """Tell whether the path of those steps is in the set."""
    node: FieldSet | None = found
    for step in steps:
        node = node.get(step) if node else None
    return node is not None and bool(steps) and _is_member(node)


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in one of both."""
    if not left or not right or left is right:
        return left or right
    both = dict(left)
    for step, there in right.items():
        here = both.get(step)
        both[step] = there if here is None else _union(here, there)
    return both


def _union(here: FieldSet, there: FieldSet) -> FieldSet:
    if here == there:
        return here
    below = union(_below(here), _below(there))
    return _node(_is_member(here) or _is_member(there), below) or {}


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in both."""
    both: FieldSet = {}
    for step, here in left.items():
        there = right.get(step)
        if there is None or step == SELF:
            continue
        node = _node(_is_member(here) and _is_member(there), intersection(_below(here), _below(there)))
        if node is not None:
            both[step] = node
    return both


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in the left and not in the right one; what is below a path that goes stays."""
    if not right or not left:
        return left
    rest: FieldSet = {}
    for step, here in left.items():
        there = right.get(step)
        if there is None:
            rest[step] = here
            continue
        if step == SELF:
            continue
        node = _node(_is_member(here) and not _is_member(there), difference(_below(here), _below(there)))
        if node is not None:
            rest[step] = node
    return rest


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in the left one, without the right one's paths and all that is below them."""
    rest: FieldSet = {}
    for step, here in left.items():
        there = right.get(step)
        if there is None:
            rest[step] = here
        elif not _is_member(there):
            node = _node(_is_member(here), without(_below(here), there))
            if node is not None:
                rest[step] = node
    return rest


def paths(found: FieldSet, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the steps of each path in the set: a level's members in order, then what is below them."""
    ordered = sorted((step for step in found if step != SELF), key=rank)
    for step in ordered:
        if _is_member(found[step]):
            yield (*before, step)
    for step in ordered:
        yield from paths(_below(found[step]), (*before, step))


def text(steps: tuple[str, ...]) -> str:
    """Return a path as messages show it: ``.spec.containers[name="web"].image``."""
    return "".join(map(_shown, steps))


def _shown(step: str) -> str:
    type, _, rest = step.partition(":")
    match type:
        case "f":
            return f".{rest}"
        case "k":
            keys = orjson.loads(rest)
            shown = (f"{name}={orjson.dumps(keys[name]).decode()}" for name in sorted(keys))
            return f"[{','.join(shown)}]"
        case "v":
            return f"[={rest}]"
    return f"[{rest}]"


@functools.lru_cache(maxsize=4096)
def rank(step: str) -> tuple[Any, ...]:
    """Return what steps are sorted by: fields by name, then items by their keys, then values."""
    type, _, rest = step.partition(":")
    place = _RANKS[type]
    if type == "k":
        return place, tuple((name, *_order(found)) for name, found in sorted(orjson.loads(rest).items()))
    return place, _order(orjson.loads(rest)) if type in ("v", "i") else rest


def _order(found: Any) -> tuple[int, Any]:
    """Return a value's place among values of other types: numbers, then text, then the rest."""
    if isinstance(found, bool):
        return 2, found
    if isinstance(found, int | float):
        return 0, found
    return (1, found) if isinstance(found, str) else (3, str(found))


def ordered(found: FieldSet) -> FieldSet:
    """Return the set with its steps in the order in which the wire has them."""
    if not found:
        return _NONE
    return {step: ordered(found[step]) for step in sorted(found, key=rank)}


def is_valid(found: Any) -> bool:
    """Tell whether that is a field set: nested objects whose keys are steps."""
    if not isinstance(found, dict):
        return False
    return all(
        inner == {} if step == SELF else _is_step(step) and is_valid(inner) for step, inner in found.items()
    )


@functools.lru_cache(maxsize=4096)
def _is_step(step: str) -> bool:
    type, _, rest = step.partition(":")
    if type == "f":
        return step.startswith("f:")
    try:
        found = orjson.loads(rest)
    except orjson.JSONDecodeError:
        return False
    return type in ("v", "i") or (type == "k" and isinstance(found, dict))
