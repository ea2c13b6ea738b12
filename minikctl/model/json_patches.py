"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386)."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from minikctl import errors

MOST_COPIED = 3 * 1024 * 1024
"""So many bytes of JSON may the copies of one patch add, as Kubernetes' API server has it."""


class PatchError(errors.MinikctlError):
    """A patch that cannot be read or applied; the text says which part and why."""


class TestFailed(PatchError):
    """A patch's own ``test`` does not hold, so that nothing of it is applied."""

    __test__ = False


# --- RFC 7386 ------------------------------------------------------------------------------------------


def merge(document: Any, patch: Any) -> Any:
    """Return the document with the merge patch applied; neither argument is changed."""
    return _merge(copy.deepcopy(document), patch)


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    outcome = document if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            outcome.pop(key, None)
        else:
            outcome[key] = _merge(outcome.get(key), value)
    return outcome


def merge_diff(old: Any, new: Any) -> dict[str, Any]:
    """Return the merge patch that makes ``new`` of ``old``; objects only."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := merge_diff(before, value):
                patch[key] = inner
        elif key not in old or before != value:
            patch[key] = copy.deepcopy(value)
    return patch


# --- RFC 6902 ------------------------------------------------------------------------------------------


def json_patch(document: Any, operations: Any) -> Any:
    """Return the document with the operations applied in order, all or none; neither argument is changed."""
    if not isinstance(operations, list):
        raise PatchError("a JSON patch is a list of operations")
    holder = {"": copy.deepcopy(document)}
    copied = 0
    for operation in operations:
        copied += _growth(holder, operation, copied)
        _operate(holder, operation)
    return holder[""]


def _growth(holder: dict[str, Any], operation: Any, copied: int) -> int:
    """Return how many bytes a copy adds; refuses what would make copies of copies without end."""
    if not isinstance(operation, dict) or operation.get("op") != "copy":
        return 0
    source = _get(holder, _steps(operation, "from"))
    added = len(json.dumps(source, separators=(",", ":"), ensure_ascii=False).encode())
    if copied + added > MOST_COPIED:
        raise PatchError(
            "Unable to complete the copy, the accumulated size increase of copy is "
            f"{copied + added}, exceeding the limit {MOST_COPIED}"
        )
    return added


def _operate(holder: dict[str, Any], operation: Any) -> None:
    """Apply one operation to the document, which is the value under the key "" of ``holder``.

    An operation without its ``value`` means null, as to the library that Kubernetes takes: Go programs leave
    an empty value out (``omitempty``) when they add a label without text.
    """
    if not isinstance(operation, dict):
        raise PatchError("each operation of a JSON patch is an object")
    name, path = operation.get("op"), _steps(operation, "path")
    match name:
        case "add":
            _add(holder, path, copy.deepcopy(operation.get("value")))
        case "remove":
            _remove(holder, path)
        case "replace":
            value = copy.deepcopy(operation.get("value"))
            _get(holder, path)
            _put(holder, path, value)
        case "move" | "copy":
            source = _steps(operation, "from")
            if name == "move" and len(path) > len(source) and path[: len(source)] == source:
                raise PatchError(f"cannot move {_pointer(source)} into itself")
            value = _remove(holder, source) if name == "move" else copy.deepcopy(_get(holder, source))
            _add(holder, path, value)
        case "test":
            if not _equal(_get(holder, path), operation.get("value")):
                raise TestFailed(f"testing value {_pointer(path)} failed")
        case _:
            raise PatchError(f"unexpected kind: {name}")


def _equal(left: Any, right: Any) -> bool:
    """Compare as JSON does: true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _steps(operation: dict[str, Any], name: str) -> list[str]:
    """Return the steps of a JSON pointer, the first of which leads to the document."""
    pointer = operation.get(name)
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise PatchError(f'"{name}" is not a JSON pointer: {pointer}')
    return ["", *(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])]


def _pointer(steps: Sequence[str]) -> str:
    return "/".join(step.replace("~", "~0").replace("/", "~1") for step in steps)


def _missing(steps: Sequence[str]) -> PatchError:
    return PatchError(f"the path {_pointer(steps) or '(root)'} does not exist")


def _index(steps: Sequence[str], limit: int) -> int:
    step = steps[-1]
    if not (step.isascii() and step.isdigit()) or (len(step) > 1 and step[0] == "0"):
        raise PatchError(f"{_pointer(steps)} is not an index of a list")
    if int(step) > limit:
        raise _missing(steps)
    return int(step)


def _get(holder: Any, steps: Sequence[str]) -> Any:
    found = holder
    for depth, step in enumerate(steps, 1):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list):
            found = found[_index(steps[:depth], len(found) - 1)]
        else:
            raise _missing(steps)
    return found


def _parent(holder: Any, steps: Sequence[str]) -> Any:
    parent = _get(holder, steps[:-1])
    if not isinstance(parent, dict | list):
        raise _missing(steps)
    return parent


def _put(holder: Any, steps: Sequence[str], value: Any) -> None:
    parent = _parent(holder, steps)
    parent[int(steps[-1]) if isinstance(parent, list) else steps[-1]] = value


def _add(holder: Any, steps: Sequence[str], value: Any) -> None:
    parent = _parent(holder, steps)
    if isinstance(parent, dict):
        parent[steps[-1]] = value
    else:
        parent.insert(len(parent) if steps[-1] == "-" else _index(steps, len(parent)), value)


def _remove(holder: Any, steps: Sequence[str]) -> Any:
    value = _get(holder, steps)
    if len(steps) == 1:
        raise PatchError("the whole document cannot be removed")
    parent = _parent(holder, steps)
    del parent[int(steps[-1]) if isinstance(parent, list) else steps[-1]]
    return value
