"""Walks over objects by their schema: the fields they have, how two differ, two merged, some removed.

A struct or map is merged field by field, unless its schema says atomic; a list is replaced as a whole unless
its schema says set, or map with the keys that tell its items apart.  Where there is no schema (fields that a
kind keeps without knowing them) maps are merged and lists are replaced.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from minikctl.model import govalues
from minikctl.model.apply import fieldsets
from minikctl.model.apply.fieldsets import SELF, FieldSet
from minikctl.model.structure import Node

_LEAF: FieldSet = {}
_POINTERS = frozenset(("PodSecurityContext",))
"""Structs that defaults make, but that an empty object does not have."""
_ZEROES: tuple[Any, ...] = (None, "", 0, False, {}, [])


class Difference(NamedTuple):
    """What a new object has else than an old one: fields added or modified, and fields removed."""

    changed: FieldSet
    removed: FieldSet


def _is_absent(node: Node | None, found: Any) -> bool:
    """Tell whether Kubernetes does not keep such a value: nothing, an empty list, an empty map.

    An empty struct is a value.
    """
    return not found and (found is None or found == [] or (found == {} and bool(node and node.values)))


class _Unkeyed(Exception):
    """An item of a list lacks what tells it from others."""


def is_branch(node: Node | None, found: Any) -> bool:
    """Tell whether ownership goes on below: false for what is owned as a whole."""
    if isinstance(found, dict):
        return node is None or node.grain == "map"
    return isinstance(found, list) and node is not None and node.grain in ("keyed", "set")


def children(node: Node | None, found: Any) -> Iterator[tuple[str, Node | None, Any]]:
    """Yield (step, node, value) of what a branch holds; of items that share a key only the first."""
    if isinstance(found, dict):
        for name, inner in found.items():
            yield f"f:{name}", node.child(name) if node else None, inner
        return
    assert node is not None
    for step, items in _indexed(node, found).items():
        yield step, node.items, items[0]


def step_to(node: Node, inner: Any) -> str:
    """Return the step to an item of a set or keyed list."""
    if node.grain == "set":
        if isinstance(inner, dict):
            raise _Unkeyed("associative list without keys has an element that's a map type")
        if isinstance(inner, list):
            raise _Unkeyed("not supported: associative list with lists as elements")
        if inner is None:
            raise _Unkeyed("associative list without keys has an element that's an explicit null")
        return fieldsets.value(inner)
    if inner is None:
        raise _Unkeyed("associative list with keys may not have a null element")
    if not isinstance(inner, dict):
        raise _Unkeyed("associative list with keys may not have non-map elements")
    keys: dict[str, Any] = {}
    for name in node.list_keys:
        if inner.get(name) is not None:
            keys[name] = inner[name]
        elif node.items is not None and name in node.items.defaults:
            keys[name] = node.items.defaults[name]
        else:
            shown = f'"{name}"'
            raise _Unkeyed(
                f"associative list with keys has an element that omits key field {shown} "
                "(and doesn't have default value)"
            )
    return fieldsets.item(keys)


# --- what an object has -------------------------------------------------------------------------------------


def whole(node: Node | None, found: Any) -> FieldSet:
    """Return the node for a value that is new, or gone, as a whole: itself and everything below it."""
    if not found or not is_branch(node, found):
        return _LEAF
    try:
        below = _inside(node, found)
    except _Unkeyed:
        return _LEAF
    return {SELF: {}, **below}


def _inside(node: Node | None, found: Any) -> FieldSet:
    if isinstance(found, list):
        assert node is not None
        return {step: _together(node.items, items) for step, items in _indexed(node, found).items()}
    return {
        step: whole(below, inner)
        for step, below, inner in children(node, found)
        if inner or not _is_absent(below, inner)
    }


def _together(node: Node | None, items: list[Any]) -> FieldSet:
    """Return the node for the items that share a key; nobody owns the fields of one that is repeated."""
    return whole(node, items[0]) if len(items) == 1 else _LEAF


def created(node: Node, obj: Any, root: bool = True) -> FieldSet:
    """Return the fields of a new object that an empty one of its kind does not have.

    An empty object already has its required fields and its structs; these are not fields of anybody.
    """
    found: FieldSet = {}
    required = node.schema.get("required", ())
    for name, inner in obj.items():
        below = node.child(name)
        present = below is not None and (
            name in required
            or (below.schema.get("default") == {} and below.type_name not in _POINTERS)
            or name == "metadata"
            or (root and name == "status")
        )
        if _is_absent(below, inner) or (present and inner in _ZEROES):
            continue
        if below is None or not present:
            found[f"f:{name}"] = whole(below, inner)
        elif not is_branch(below, inner):
            found[f"f:{name}"] = _LEAF
        elif isinstance(inner, dict) and not below.values:
            if inside := created(below, inner, False):
                found[f"f:{name}"] = inside
        else:
            inside = whole(below, inner)
            found[f"f:{name}"] = {step: each for step, each in inside.items() if step != SELF}
    return found


def fields(node: Node | None, found: Any, faults: list[str], path: tuple[str, ...] = ()) -> FieldSet:
    """Return the fields that a configuration is about; what is wrong with it is added to ``faults``."""
    set_of: FieldSet = {}
    for step, below, inner, named in _stated(node, found, faults, path):
        here = (*path, step)
        if below is None and node is not None and not node.keeps_unknown and not node.values:
            faults.append(f"{fieldsets.text(here)}: field not declared in schema")
            continue
        if misfit := _misfits(below, inner):
            faults.append(f"{fieldsets.text(here)}: {misfit}")
        if misfit or not is_branch(below, inner):
            set_of[step] = _LEAF
            if not misfit:
                _judge(below, inner, faults, here)
            continue
        inside = fields(below, inner, faults, here)
        if not named or (isinstance(inner, dict) and not inner):
            inside = {SELF: {}, **inside} if inside else _LEAF
        elif not inside:
            continue
        set_of[step] = inside
    return set_of


def _judge(node: Node | None, found: Any, faults: list[str], path: tuple[str, ...]) -> None:
    """Add what is wrong inside of what is owned as a whole, or not at all."""
    if node is None:
        return
    if isinstance(found, list):
        inside = [(f"i:{index}", node.items, inner) for index, inner in enumerate(found)]
    elif isinstance(found, dict):
        inside = [(f"f:{name}", node.child(name), inner) for name, inner in found.items()]
    else:
        return
    for step, below, inner in inside:
        here = (*path, step)
        if below is None and isinstance(found, dict) and not node.keeps_unknown and not node.values:
            faults.append(f"{fieldsets.text(here)}: field not declared in schema")
        elif misfit := _misfits(below, inner):
            faults.append(f"{fieldsets.text(here)}: {misfit}")
        else:
            _judge(below, inner, faults, here)


def _stated(
    node: Node | None, found: Any, faults: list[str], path: tuple[str, ...]
) -> Iterator[tuple[str, Node | None, Any, bool]]:
    """Yield (step, node, value, whether it is a struct's field) of a configuration."""
    if isinstance(found, dict):
        for name, inner in found.items():
            below = node.child(name) if node else None
            yield f"f:{name}", below, inner, node is not None and name in node.properties
        return
    assert node is not None
    seen: set[str] = set()
    for index, inner in enumerate(found):
        try:
            step = step_to(node, inner)
        except _Unkeyed as error:
            faults.append(f"{fieldsets.text(path)}: element {index}: {error}")
            return  # what comes after it has no path, either
        if step in seen:
            key = fieldsets.text((step,))
            faults.append(f"{fieldsets.text(path)}: duplicate entries for key {key}")
        seen.add(step)
        yield step, node.items, inner, False


_WANTED: dict[str, tuple[tuple[type, ...], str, Callable[[Any], str]]] = {
    "string": ((str,), "string", lambda found: f"&value.valueUnstructured{{Value:{govalues.syntax(found)}}}"),
    "boolean": ((bool,), "boolean", lambda found: f"&{{{govalues.shown(found)}}}"),
    "integer": ((int, float), "numeric (int or float)", govalues.kind),
    "number": ((int, float), "numeric (int or float)", govalues.kind),
    "array": ((list,), "list", lambda found: f"&{{{govalues.shown(found)}}}"),
    "object": ((dict,), "map", lambda found: f"&{{{govalues.shown(found)}}}"),
}
"""What a schema's types are in JSON and called, and how structured-merge-diff tells of something else."""


def _misfits(node: Node | None, found: Any) -> str:
    """Return how a value is not of the type that the schema wants; "" if it is."""
    if node is None or found is None or node.type not in _WANTED:
        return ""
    types, name, told = _WANTED[node.type]
    if isinstance(found, types) and not (isinstance(found, bool) and node.type != "boolean"):
        return ""
    return f"expected {name}, got {told(found)}"


# --- how two objects differ ---------------------------------------------------------------------------------


def compare(node: Node | None, old: Any, new: Any) -> Difference:
    """Return how a new object differs from an old one."""
    changed: FieldSet = {}
    removed: FieldSet = {}
    _compare_maps(node, old, new, (changed, removed))
    return Difference(changed, removed)


def _compare_maps(node: Node | None, old: Any, new: Any, out: tuple[FieldSet, FieldSet]) -> None:
    for name, after in new.items():
        before = old.get(name)
        if before != after:
            _both(f"f:{name}", node.child(name) if node else None, (before, after), out)
    for name, before in old.items():
        if name not in new:
            _both(f"f:{name}", node.child(name) if node else None, (before, None), out)


def _both(step: str, node: Node | None, values: tuple[Any, Any], out: tuple[FieldSet, FieldSet]) -> None:
    """Compare two different values of one field or item; None is none."""
    before, after = values
    was, is_there = before or not _is_absent(node, before), after or not _is_absent(node, after)
    if not was or not is_there:
        if is_there:
            out[0][step] = whole(node, after)
        elif was:
            out[1][step] = whole(node, before)
        return
    below: tuple[FieldSet, FieldSet] = ({}, {})
    if isinstance(before, dict) and isinstance(after, dict) and is_branch(node, after):
        _compare_maps(node, before, after, below)
    elif isinstance(before, list) and isinstance(after, list) and is_branch(node, after):
        assert node is not None
        if not _compare_lists(node, before, after, below):
            below = ({SELF: {}}, {})
    else:
        out[0][step] = _LEAF
        return
    for side, found in zip(out, below, strict=True):
        if found:
            side[step] = _LEAF if found == {SELF: {}} else found


def _compare_lists(node: Node, before: list[Any], after: list[Any], out: tuple[FieldSet, FieldSet]) -> bool:
    """Compare two keyed lists or sets item by item; False if an item cannot be told from others."""
    try:
        left, right = _indexed(node, before), _indexed(node, after)
    except _Unkeyed:
        return False
    for step in (*right, *(each for each in left if each not in right)):
        _compare_items(step, node.items, left.get(step, []), right.get(step, []), out)
    return True


def _compare_items(
    step: str, node: Node | None, before: list[Any], after: list[Any], out: tuple[FieldSet, FieldSet]
) -> None:
    """Compare what shares a key: items that are repeated are one thing, whose fields nobody owns."""
    changed, removed = out
    if before == after:
        return
    if len(before) > 1 and len(after) > 1:
        changed[step] = _LEAF
        return
    if len(before) <= 1 and len(after) <= 1:
        _both(step, node, (before[0] if before else None, after[0] if after else None), out)
        return
    if before:
        removed[step] = _together(node, before)
    if after:
        changed[step] = _together(node, after)


def _indexed(node: Node, items: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for inner in items:
        found.setdefault(step_to(node, inner), []).append(inner)
    return found


# --- merging and removing -----------------------------------------------------------------------------------


def merge(node: Node | None, live: Any, config: Any) -> Any:
    """Return the live value with what the configuration says; neither is changed, parts are shared.

    Items that both have come in the configuration's order; others stay near their neighbours.
    """
    if isinstance(live, dict) and isinstance(config, dict) and is_branch(node, config):
        merged = dict(live)
        for name, wanted in config.items():
            below = node.child(name) if node else None
            merged[name] = merge(below, live[name], wanted) if name in live else wanted
        return merged
    if isinstance(live, list) and isinstance(config, list) and is_branch(node, config):
        assert node is not None
        return _merge_lists(node, live, config)
    if config is None and live and is_branch(node, live):
        return live
    return config


def _merge_lists(node: Node, live: list[Any], config: list[Any]) -> list[Any]:
    try:
        left = [(step_to(node, inner), inner) for inner in live]
    except _Unkeyed:
        return config
    right = [(step_to(node, inner), inner) for inner in config]
    times = Counter(step for step, _ in left)
    # What was repeated is replaced: none of it is more the wanted item than the others.
    ours, wanted = {step: inner for step, inner in left if times[step] == 1}, dict(right)

    def joined(step: str) -> Any:
        return merge(node.items, ours[step], wanted[step]) if step in ours else wanted[step]

    return [
        joined(step) if step in wanted else inner for step, inner in _woven(left, right, lambda one: one[0])
    ]


def _woven(left: Sequence[Any], right: Sequence[Any], key: Callable[[Any], str]) -> list[Any]:
    """Return the items of both: shared ones in the right's order, each other one after its predecessor."""
    here, there = {key(one) for one in left}, {key(one) for one in right}
    shared = [key(one) for one in right if key(one) in here]
    merged: list[Any] = []
    done: set[str] = set()
    at_left = at_right = 0
    while at_left < len(left) or at_right < len(right):
        if at_left < len(left):
            one = key(left[at_left])
            awaited = next((each for each in shared if each not in done), None)
            if one in done and one in there:
                at_left += 1
                continue
            if one not in there:
                merged.append(left[at_left])
                at_left += 1
                continue
            if at_right < len(right) and one != key(right[at_right]) and one != awaited:
                at_left += 1
                continue
        one = key(right[at_right])
        merged.append(right[at_right])
        done.add(one)
        at_right += 1
    return merged


def remove(node: Node | None, found: Any, gone: FieldSet) -> Any:
    """Return the value without those fields and items; None when nothing is left of it."""
    if not found or not gone:
        return found
    if not isinstance(found, dict | list):
        return found
    if not is_branch(node, found):
        return None
    if isinstance(found, dict):
        return _remove_fields(node, found, gone)
    assert node is not None
    kept = []
    for inner in found:
        try:
            below = gone.get(step_to(node, inner))
        except _Unkeyed:
            below = None
        if below is None:
            kept.append(inner)
        elif below and SELF not in below:
            left = remove(node.items, inner, below)
            if left is not None:
                kept.append(left)
    return kept or None


def _remove_fields(node: Node | None, found: dict[str, Any], gone: FieldSet) -> dict[str, Any] | None:
    kept = {}
    for name, inner in found.items():
        below = gone.get(f"f:{name}")
        if below is None:
            kept[name] = inner
        elif below and SELF not in below:
            left = remove(node.child(name) if node else None, inner, below)
            if left is not None:
                kept[name] = left
    return kept or None


def with_structs(node: Node | None, found: FieldSet) -> FieldSet:
    """Return the set with each struct's field in it that is on the way to one of its paths."""
    more: FieldSet = {}
    for step, inner in found.items():
        below = _below(node, step)
        inside = with_structs(below, inner)
        is_field = node is not None and step.startswith("f:") and step[2:] in node.properties
        more[step] = {SELF: {}, **inside} if is_field and inside else inside
    return more


def _below(node: Node | None, step: str) -> Node | None:
    if node is None or step == SELF:
        return None
    return node.child(step[2:]) if step.startswith("f:") else node.items


# --- schemas that have changed ------------------------------------------------------------------------------


def reconciled(node: Node | None, owned: FieldSet, found: Any) -> FieldSet:
    """Return owned fields as the schema has them now.

    Who owned fields of what is atomic by now owns it as a whole; who owned as a whole what is not atomic any
    more owns the fields that it has.
    """
    inside = dict(_steps(node, found))
    return {
        step: below if step == SELF else _reconciled(_below(node, step), below, inside.get(step))
        for step, below in owned.items()
    }


def _reconciled(node: Node | None, owned: FieldSet, found: Any) -> FieldSet:
    if node is None:
        return owned
    if owned:
        return _LEAF if node.grain == "atomic" else reconciled(node, owned, found)
    if not found or not is_branch(node, found):
        return owned
    stated = fields(node, found, [])
    return {SELF: {}, **stated} if stated else owned


def _steps(node: Node | None, found: Any) -> Iterator[tuple[str, Any]]:
    """Yield the steps into a branch, and what is there; not into items that are repeated or have no key."""
    if isinstance(found, dict):
        yield from ((f"f:{name}", inner) for name, inner in found.items())
    elif node is not None and is_branch(node, found):
        with contextlib.suppress(_Unkeyed):
            yield from ((step, items[0]) for step, items in _indexed(node, found).items() if len(items) == 1)
