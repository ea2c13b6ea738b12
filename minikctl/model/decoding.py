"""Refusal of wrong JSON types, in the words of Kubernetes' decoder."""

from __future__ import annotations

import functools
import re
from typing import Any

from minikctl.model import objects, quantity, schema
from minikctl.model.kind import Kind
from minikctl.model.objects import Object
from minikctl.model.structure import Node

_LIMITS = {"int32": 2**31, "int64": 2**63}
_MICRO_TIME = re.compile(r":\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
_BASE64 = re.compile(r"[A-Za-z0-9+/]")


class _Mismatch(Exception):
    """The first value that cannot be decoded; the message is the decoder's."""


def decode_errors(kind: Kind, obj: Object) -> str | None:
    """Return why the object cannot be decoded as that kind, in Kubernetes' words, or None."""
    if kind.shape is not None:
        return kind.shape.undecodable(kind, obj)
    try:
        _struct(schema.root(kind), obj, "")
    except _Mismatch as mismatch:
        return wrong(kind, str(mismatch))
    return None


def meta_errors(kind: Kind, meta: Node, obj: Object) -> str | None:
    """Return why the object's metadata cannot be decoded, or None; ``meta`` is ObjectMeta's tree."""
    try:
        found = obj.get("metadata")
        if found is not None:
            _value(meta, found, "ObjectMeta.metadata", "metadata.")
    except _Mismatch as mismatch:
        return wrong(kind, str(mismatch))
    return None


def embedded_meta_error(meta: Node, found: Any) -> str | None:
    """Return why that is no metadata of a resource inside of another, or None."""
    if not isinstance(found, dict):
        return f"json: cannot unmarshal {_go_name(_json_name(found))} into Go value of type v1.ObjectMeta"
    try:
        _struct(meta, found, "")
    except _Mismatch as mismatch:
        return str(mismatch)
    return None


def wrong(kind: Kind, detail: str) -> str:
    """Return the sentence with which the API server refuses a body that it cannot decode."""
    return f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {detail}'


def _struct(node: Node, value: dict[str, Any], path: str) -> None:
    for key, inner in value.items():
        below = node.properties.get(key)
        if below is not None and inner is not None:
            _value(below, inner, f"{node.type_name}.{path}{key}", f"{path}{key}.")


def _value(node: Node, value: Any, field: str, path: str) -> None:
    """Check one value; ``field`` is how the decoder calls it, ``path`` the prefix of the fields below."""
    if node.is_open and not node.type:
        return
    if node.format in _CUSTOM:
        _CUSTOM[node.format](value)
    elif node.type == "object" and isinstance(value, dict):
        if node.values:
            for inner in value.values():
                if inner is not None:
                    _value(node.values, inner, field, path)
        else:
            _struct(node, value, path)
    elif node.items and isinstance(value, list):
        for inner in value:
            if inner is not None:
                _value(node.items, inner, field, path)
    else:
        _scalar(node, value, field)


def _scalar(node: Node, value: Any, field: str) -> None:
    said = _json_name(value)
    fits = node.type == said or (node.type in ("integer", "number") and said == "number")
    if fits and node.type == "integer":
        limit = _LIMITS[node.format]
        fits = isinstance(value, int) and -limit <= value < limit
        said = f"number {value}"
    if not fits:
        raise _Mismatch(
            f"json: cannot unmarshal {_go_name(said)} into Go struct field {field} of type {node.go_type}"
        )
    if node.format == "byte":
        _base64(value)


def _go_name(said: str) -> str:
    return "bool" if said == "boolean" else said


def _json_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names: dict[type, str] = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return names[type(value)]


def _quantity(value: Any) -> None:
    text = (
        value if isinstance(value, str | int | float) and not isinstance(value, bool) else _json_name(value)
    )
    try:
        quantity.parse(text)
    except ValueError as error:
        raise _Mismatch(str(error)) from None


def _custom_type(value: Any, wanted: str) -> None:
    said = _json_name(value)
    said = "bool" if said == "boolean" else said
    raise _Mismatch(f"json: cannot unmarshal {said} into Go value of type {wanted}")


def _int_or_string(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        _custom_type(value, "int32")
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        raise _Mismatch(f"json: cannot unmarshal number {value} into Go value of type int32")


def _time(value: Any) -> None:
    if not isinstance(value, str):
        _custom_type(value, "string")
    if objects.parse_time(value) is None or "T" not in value:
        layout = "2006-01-02T15:04:05Z07:00"
        raise _Mismatch(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')


def _micro_time(value: Any) -> None:
    """Go's layout has six digits for the fraction: no more, no fewer."""
    _time(value)
    if not _MICRO_TIME.search(value):
        rest = value[len("2006-01-02T15:04:05") :]
        layout = "2006-01-02T15:04:05.000000Z07:00"
        raise _Mismatch(f'parsing time "{value}" as "{layout}": cannot parse "{rest}" as ".000000"')


_CUSTOM = {
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "date-time": _time,
    "micro-time": _micro_time,
}


@functools.lru_cache(maxsize=256)
def base64_fault(text: str) -> int:
    """Return where Go's decoder finds the text not to be base64, or -1 if it is."""
    plain = [(at, char) for at, char in enumerate(text) if char not in "\r\n"]
    padding = next((index for index, (_, char) in enumerate(plain) if not _BASE64.match(char)), len(plain))
    rest = plain[padding:]
    if not rest:
        return -1 if len(plain) % 4 == 0 else len(text) - len(plain) % 4
    at, char = rest[0]
    if char != "=" or padding % 4 < 2:
        return at
    wanted = 4 - padding % 4
    if len(rest) < wanted:
        return len(text)
    stranger = next((at for at, char in rest[:wanted] if char != "="), None)
    if stranger is not None:
        return stranger
    return rest[wanted][0] if len(rest) > wanted else -1


def _base64(value: str) -> None:
    fault = base64_fault(value)
    if fault >= 0:
        raise _Mismatch(f"illegal base64 data at input byte {fault}")
