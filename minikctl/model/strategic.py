"""Strategic merge patches: applied, and made by a three-way comparison as ``apply`` needs it.

A strategic merge patch is a merge patch that knows which lists are maps or sets in disguise, from the
schemas' ``x-kubernetes-patch-merge-key`` and ``x-kubernetes-patch-strategy``, and that has directives:

- ``$patch: replace | delete | merge`` in a map, or in an item of a list;
- ``$retainKeys: [...]``: all other keys of the map go;
- ``$setElementOrder/<list>: [...]``: the order of the items that it names;
- ``$deleteFromPrimitiveList/<list>: [...]``: values to take out of a set.
"""

from __future__ import annotations

import collections
import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minikctl.model import schema
from minikctl.model.json_patches import PatchError
from minikctl.model.kind import Kind
from minikctl.model.schema import ListMeta
from minikctl.model.structure import Node

DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
REMOVE = "$deleteFromPrimitiveList/"

_ATOMIC = ListMeta("atomic", (), "", frozenset())


def strategic(kind: Kind, document: Mapping[str, Any], patch: Any) -> dict[str, Any]:
    """Return the object with the strategic merge patch applied; neither argument is changed."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch is an object")
    return _merged(schema.root(kind), copy.deepcopy(dict(document)), copy.deepcopy(patch))


def _child(node: Node | None, key: str) -> Node | None:
    return node.child(key) if node else None


def _meta(node: Node | None) -> ListMeta:
    return schema.node_meta(node) if node and node.items else _ATOMIC


def _strategies(node: Node | None) -> set[str]:
    return set(node.schema.get("x-kubernetes-patch-strategy", "").split(",")) if node else set()


def _merged(node: Node | None, document: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch.pop(DIRECTIVE, "merge")
    if directive == "replace":
        return _plain(node, patch)
    if directive == "delete":
        return {}
    if directive != "merge":
        raise PatchError(f"unknown patch type found: {directive}")
    _retain(document, patch)
    for key in [key for key in patch if key.startswith((REMOVE, ORDER))]:
        if not isinstance(patch[key], list):
            raise PatchError(f"{key} must be a list")
    for key in [key for key in patch if key.startswith(REMOVE)]:
        _remove(document, key.removeprefix(REMOVE), patch.pop(key))
    orders = {key.removeprefix(ORDER): patch.pop(key) for key in list(patch) if key.startswith(ORDER)}
    before = {name: _items(document, name) for name in orders}
    for key, value in patch.items():
        if value is None:
            document.pop(key, None)
        else:
            document[key] = _value(_child(node, key), document.get(key), value)
    for name, order in orders.items():
        if isinstance(document.get(name), list):
            document[name] = _ordered(_meta(_child(node, name)), before[name], document[name], order)
    return document


def _items(document: dict[str, Any], name: str) -> list[Any]:
    found = document.get(name)
    return list(found) if isinstance(found, list) else []


def _retain(document: dict[str, Any], patch: dict[str, Any]) -> None:
    kept = patch.pop(RETAIN, None)
    if kept is None:
        return
    if not isinstance(kept, list):
        raise PatchError(f"{RETAIN} must be a list")
    strangers = [
        key for key in patch if key not in kept and not key.startswith("$") and patch[key] is not None
    ]
    if strangers:
        raise PatchError(f"{RETAIN} must list every key that the patch sets, {strangers} included")
    for key in [key for key in document if key not in kept]:
        del document[key]


def _remove(document: dict[str, Any], name: str, values: Any) -> None:
    if isinstance(document.get(name), list):
        gone = {_mark(value) for value in values}
        document[name] = [value for value in document[name] if _mark(value) not in gone]


def _value(node: Node | None, old: Any, new: Any) -> Any:
    if isinstance(new, dict):
        return _merged(node, old, new) if isinstance(old, dict) else _plain(node, new)
    if isinstance(new, list):
        return _merged_list(node, old if isinstance(old, list) else [], new)
    return new


def _plain(node: Node | None, value: dict[str, Any]) -> dict[str, Any]:
    """Return what a patch says where there is nothing to merge with: its content without directives."""
    return _merged(node, {}, {key: inner for key, inner in value.items() if key != DIRECTIVE})


def _merged_list(node: Node | None, old: list[Any], new: list[Any]) -> list[Any]:
    meta = _meta(node)
    items = node.items if node else None
    if "merge" not in meta.strategies:
        return [_plain(items, item) if isinstance(item, dict) else item for item in new]
    if not meta.merge_key:
        union = {_mark(item): item for item in (*old, *new)}
        return _ordered(meta, old, list(union.values()), new)
    if not all(isinstance(item, dict) for item in new):
        raise PatchError(f"every item of a list with merge key {meta.merge_key} is an object")
    if any(item.get(DIRECTIVE) == "replace" for item in new):
        return [_plain(items, item) for item in new if item.get(DIRECTIVE) != "replace"]
    merged = list(old)
    for item in new:
        found = _same_key(merged, meta.merge_key, _key(item, meta.merge_key))
        if item.get(DIRECTIVE) == "delete":
            merged = [each for index, each in enumerate(merged) if index not in found]
        elif found:
            merged[found[0]] = _merged(items, merged[found[0]], item)
        else:
            merged.append(_plain(items, item))
    return _ordered(meta, old, merged, [item for item in new if item.get(DIRECTIVE) != "delete"])


def _key(item: Any, merge_key: str) -> Any:
    if not isinstance(item, dict) or merge_key not in item:
        raise PatchError(f"map: {item} does not contain declared merge key: {merge_key}")
    return item[merge_key]


def _same_key(items: Sequence[dict[str, Any]], merge_key: str, wanted: Any) -> list[int]:
    return [index for index, item in enumerate(items) if item.get(merge_key) == wanted]


def _mark(value: Any) -> Any:
    """Return what stands for a value among others: equal for equal ones only, true and 1 apart."""
    if isinstance(value, str | int | float):
        return isinstance(value, bool), value
    return json.dumps(value, sort_keys=True)


def _places(found: Iterable[Any]) -> dict[Any, int]:
    places: dict[Any, int] = {}
    for place, each in enumerate(found):
        places.setdefault(each, place)
    return places


def _ordered(meta: ListMeta, before: list[Any], after: list[Any], order: Any) -> list[Any]:
    """Return the items in the order asked for; the others stay before those that they were before.

    Where a patch has no order of its own it is that of its items, so that new ones come first, as Kubernetes'
    ``normalizeElementOrder`` has them.
    """

    def identity(item: Any) -> Any:
        return _mark(_key(item, meta.merge_key) if meta.merge_key else item)

    wanted = _places(map(identity, order))
    old = _places(map(identity, before))
    named = sorted(
        (item for item in after if identity(item) in wanted), key=lambda item: wanted[identity(item)]
    )
    others = collections.deque(item for item in after if identity(item) not in wanted)
    ordered: list[Any] = []
    for item in named:
        here = old.get(identity(item), -1)
        # An item that is new to the list has no old place, and so waits for nobody.
        while others and old.get(identity(others[0]), len(old)) < here:
            ordered.append(others.popleft())
        ordered.append(item)
    return [*ordered, *others]


# --- three-way ------------------------------------------------------------------------------------------


def three_way(
    original: Mapping[str, Any], modified: Mapping[str, Any], current: Mapping[str, Any], kind: Kind | None
) -> dict[str, Any]:
    """Return the patch that brings what changed from ``original`` to ``modified`` into ``current``.

    Fields of ``modified`` are set, fields that only ``original`` has are removed, all others are left alone.
    With a kind it is a strategic merge patch, without one a JSON merge patch.  ``{}`` means nothing to do.
    """
    return _three(schema.root(kind) if kind else None, original, modified, current)


def _three(
    node: Node | None, original: Mapping[str, Any], modified: Mapping[str, Any], current: Mapping[str, Any]
) -> dict[str, Any]:
    gone = [key for key in original if modified.get(key) is None and key in current]
    gone += [key for key, value in modified.items() if value is None and key in current and key not in gone]
    patch: dict[str, Any] = dict.fromkeys(gone)
    for key, wanted in modified.items():
        if wanted is not None:
            patch.update(_three_value(_child(node, key), key, (original.get(key), wanted, current.get(key))))
    return patch


def _three_value(node: Node | None, key: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    original, wanted, found = values
    if isinstance(wanted, dict) and isinstance(found, dict):
        return _three_map(node, key, (original if isinstance(original, dict) else {}, wanted, found))
    if isinstance(wanted, list) and isinstance(found, list) and "merge" in _meta(node).strategies:
        return _three_list(node, key, (original if isinstance(original, list) else [], wanted, found))
    return {} if wanted == found else {key: copy.deepcopy(wanted)}


def _three_map(node: Node | None, key: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    original, wanted, found = values
    inner = _three(node, original, wanted, found)
    if inner and "retainKeys" in _strategies(node):
        inner[RETAIN] = sorted(wanted)
    return {key: inner} if inner else {}


def _three_list(
    node: Node | None, key: str, values: tuple[list[Any], list[Any], list[Any]]
) -> dict[str, Any]:
    assert node is not None  # only a schema has merge strategies
    meta = _meta(node)
    if not meta.merge_key:
        return _three_set(key, *values)
    if any(_repeats(each, meta.merge_key) for each in values[1:]):
        return _three_whole(node, meta, key, values)
    return _three_keyed(node, meta, key, values)


def _repeats(items: list[Any], merge_key: str) -> bool:
    keys = [_key(item, merge_key) for item in items]
    return len(set(keys)) < len(keys)


def _three_set(key: str, original: list[Any], wanted: list[Any], found: list[Any]) -> dict[str, Any]:
    added = [value for value in wanted if value not in found]
    removed = [value for value in original if value not in wanted and value in found]
    patch: dict[str, Any] = {}
    if added:
        patch[key] = added
    if removed:
        patch[REMOVE + key] = removed
    if patch or _moved(wanted, found):
        patch[ORDER + key] = list(wanted)
    return patch


def _moved(wanted: list[Any], found: list[Any]) -> bool:
    return [value for value in found if value in wanted] != wanted


def _three_keyed(node: Node, meta: ListMeta, key: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    name = meta.merge_key
    original, wanted, found = ({_key(item, name): item for item in items} for items in values)
    changes: list[Any] = []
    for identity, item in wanted.items():
        if identity not in found:
            changes.append(copy.deepcopy(item))
            continue
        inner = _three(node.items, original.get(identity, {}), item, found[identity])
        if inner and "retainKeys" in meta.strategies:
            inner[RETAIN] = sorted(item)
        if inner:
            changes.append({**inner, name: identity})
    gone = [identity for identity in original if identity not in wanted and identity in found]
    changes += [{DIRECTIVE: "delete", name: identity} for identity in gone]
    patch: dict[str, Any] = {key: changes} if changes else {}
    if patch or _moved(list(wanted), list(found)):
        patch[ORDER + key] = [{name: identity} for identity in wanted]
    return patch


def _three_whole(node: Node, meta: ListMeta, key: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    """Return a patch that replaces a list in which the merge key does not tell items apart.

    Such a list (port 53 by TCP and by UDP) has a finer key than the merge key: list-map-keys.
    """
    names = meta.keys or (meta.merge_key,)
    defaults = node.items.defaults if node.items else {}

    def keyed(items: list[Any]) -> dict[Any, Any]:
        return {tuple(item.get(name, defaults.get(name)) for name in names): item for item in items}

    original, wanted, found = map(keyed, values)
    changes = {
        identity: _three(node.items, original.get(identity, {}), item, found.get(identity, {}))
        for identity, item in wanted.items()
    }
    gone = [identity for identity in original if identity not in wanted and identity in found]
    if not gone and not any(changes.values()):
        return {}
    merged = {
        identity: _merged(node.items, copy.deepcopy(found.get(identity, {})), changes[identity])
        for identity in wanted
    }
    others = [
        copy.deepcopy(item)
        for identity, item in found.items()
        if identity not in wanted and identity not in gone
    ]
    return {key: [{DIRECTIVE: "replace"}, *merged.values(), *others]}
