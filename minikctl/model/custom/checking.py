"""Judging custom objects by their schema, in the words of Kubernetes' validator.

On update, what did not change is not judged again: a schema can become stricter while objects live on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes
from minikctl.model.custom import formats, patterns
from minikctl.model.custom.structural import Structural, correlated
from minikctl.model.kind import Cause

_NOWHERE = "<nil>"
"""How a cause that belongs to no single field names its place."""


def check(node: Structural, value: Any, path: str = "", old: Any = None) -> Iterator[Cause]:
    """Yield what breaks the schema; ``old`` is the former value at this place, None if it cannot be told."""
    if old is not None and value == old:
        return
    if value is None:
        if not node.is_nullable and node.type:
            yield _type(path, "null", node.type)
        return
    found = _wrong_type(node, value, path)
    if found is not None:
        yield found
        return
    yield from _value(node.schema, value, path)
    yield from _combined(node, value, path)
    if isinstance(value, dict):
        yield from _fields(node, value, path, old if isinstance(old, dict) else {})
    elif isinstance(value, list) and node.items is not None:
        for index, (item, before) in enumerate(zip(value, correlated(node, value, old), strict=True)):
            yield from check(node.items, item, f"{path}[{index}]", before)


def _fields(node: Structural, value: dict[str, Any], path: str, old: dict[str, Any]) -> Iterator[Cause]:
    for name in node.schema.get("required") or ():
        if name not in value:
            yield causes.required(causes.child(path, name))
    closed = node.schema.get("additionalProperties") is False
    for name, inner in value.items():
        below = node.child(name)
        here = causes.child(path, name)
        if below is not None:
            yield from check(below, inner, here, old.get(name))
        elif closed and not (node.is_resource and name in ("apiVersion", "kind", "metadata")):
            yield causes.invalid(here, "", f"{here} in body is a forbidden property")


# --- types ------------------------------------------------------------------------------------------------


def json_type(value: Any) -> str:
    """Return the name that messages have for the type of a value that is not null."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _type(path: str, said: Any, wanted: str) -> Cause:
    detail = f"{path or '.'} in body must be of type {wanted}: {json.dumps(said, ensure_ascii=False)}"
    return causes.valued("FieldValueTypeInvalid", path or _NOWHERE, said, detail)


def _wrong_type(node: Structural, value: Any, path: str) -> Cause | None:
    said = json_type(value)
    if node.is_int_or_string and not node.type:
        return None if said in ("integer", "string") else _type(path, said, "integer,string")
    if node.type and said != node.type and not (node.type == "number" and said == "integer"):
        return _type(path, said, node.type)
    return None


# --- values -----------------------------------------------------------------------------------------------


def _value(schema: Any, value: Any, path: str) -> Iterator[Cause]:
    """Yield what is wrong with one value, whatever is inside it."""
    if isinstance(value, str):
        yield from _text(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)
    elif isinstance(value, list):
        yield from _sizes(schema, len(value), path, "Items", "items")
    elif isinstance(value, dict):
        yield from _sizes(schema, len(value), path, "Properties", "properties")
    allowed = schema.get("enum")
    if allowed and not any(_same(value, each) for each in allowed):
        yield causes.unlisted(path, value, allowed)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _text(schema: Any, value: str, path: str) -> Iterator[Cause]:
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if longest is not None and len(value) > longest:
        yield causes.too_long(path, longest)
    if shortest is not None and len(value) < shortest:
        yield causes.invalid(path, value, f"{path} in body should be at least {shortest} chars long")
    wanted = schema.get("pattern")
    if wanted and not patterns.matches(wanted, value):
        yield causes.invalid(path, value, f"{path} in body should match '{wanted}'")
    form = schema.get("format")
    if form in formats.CHECKS and not formats.CHECKS[form](value):
        yield _type(path, value, form)


def _number(schema: Any, value: float, path: str) -> Iterator[Cause]:
    highest, lowest, unit = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    if highest is not None:
        below = schema.get("exclusiveMaximum") is True
        if value > highest or (below and value == highest):
            words = "less than" if below else "less than or equal to"
            yield causes.invalid(path, value, f"{path} in body should be {words} {_plain(highest)}")
    if lowest is not None:
        above = schema.get("exclusiveMinimum") is True
        if value < lowest or (above and value == lowest):
            words = "greater than" if above else "greater than or equal to"
            yield causes.invalid(path, value, f"{path} in body should be {words} {_plain(lowest)}")
    if unit and not math.isclose(value / unit, round(value / unit), abs_tol=1e-9):
        yield causes.invalid(path, value, f"{path} in body should be a multiple of {_plain(unit)}")


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) and not number.is_integer() else str(int(number))


def _sizes(schema: Any, size: int, path: str, suffix: str, noun: str) -> Iterator[Cause]:
    most, least = schema.get(f"max{suffix}"), schema.get(f"min{suffix}")
    if most is not None and size > most:
        yield causes.too_many(path, size, most)
    if least is not None and size < least:
        text = f"{path} in body should have at least {least} {noun}"
        yield causes.invalid(path, size, text)


# --- combinations -----------------------------------------------------------------------------------------


def _combined(node: Structural, value: Any, path: str) -> Iterator[Cause]:
    """Yield what allOf, anyOf, oneOf and not refuse."""
    where = f'"{path}"'
    tried = _tried(node, "allOf", value, path)
    yield from (cause for found in tried for cause in found)
    if any(tried):
        yield _nowhere(f"{where} must validate all the schemas (allOf)")
    tried = _tried(node, "anyOf", value, path)
    if tried and all(tried):
        yield _nowhere(f"{where} must validate at least one schema (anyOf)")
        yield from min(tried, key=len)
    tried = _tried(node, "oneOf", value, path)
    fitting = sum(not each for each in tried)
    if tried and fitting != 1:
        count = f"Found {fitting} valid alternatives" if fitting else "Found none valid"
        yield _nowhere(f"{where} must validate one and only one schema (oneOf). {count}")
        if not fitting:
            yield from min(tried, key=len)
    if any(not found for found in _tried(node, "not", value, path)):
        yield _nowhere(f"{where} must not validate the schema (not)")


def _tried(node: Structural, name: str, value: Any, path: str) -> list[list[Cause]]:
    return [list(check(each, value, path)) for each in node.alternatives.get(name, ())]


def _nowhere(text: str) -> Cause:
    return causes.invalid(_NOWHERE, "", text)
