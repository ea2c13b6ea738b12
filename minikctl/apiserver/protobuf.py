"""Kubernetes' protobuf bodies, read into the objects that their JSON would be.

Only requests need this: client-go sends built-in kinds as protobuf, but takes JSON for an answer.  The field
numbers are in ``schemas/<group>/<version>/protobuf.json``; ``schemas/generate_protobuf.py`` explains them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from minikctl.model import objects, structure
from minikctl.model.objects import Object

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"

_META = "meta/v1"
_META_KINDS = ("DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProtobufError(Exception):
    """The bytes are not what they should be; the text says how."""


def decode(data: bytes) -> Object:
    """Return the object that an enveloped message describes."""
    if not data.startswith(MAGIC):
        raise ProtobufError("the body does not begin as Kubernetes' protobuf does")
    envelope = _scalars(data[len(MAGIC) :])
    names = _scalars(_bytes(envelope.get(1, b"")))
    api_version, kind = _text(names.get(1, b"")), _text(names.get(2, b""))
    group, _, version = api_version.rpartition("/")
    folder = _META if kind in _META_KINDS else f"{group or 'core'}/{version}"
    found = _message(_bytes(envelope.get(2, b"")), folder, kind)
    return {"apiVersion": api_version, "kind": kind, **found}


def _scalars(data: bytes) -> dict[int, Any]:
    return dict(_fields(data))


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value): an int for varints and fixed-width numbers, bytes for what has a length."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            value, at = data[at : at + width], at + width
        else:
            raise ProtobufError(f"wire type {wire} is not in use")
        if at > end:
            raise ProtobufError("the message is cut off")
        yield number, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("the message is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _table(folder: str, name: str) -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = structure.document(f"{folder}/protobuf.json")[name]
    except (KeyError, OSError):
        raise ProtobufError(f"no kind {name} of {folder} is known") from None
    return found


def _message(data: bytes, folder: str, name: str) -> Object:
    table = _table(folder, name)
    found: Object = {}
    for number, value in _fields(data):
        field = table.get(str(number))
        if field is None:
            continue
        json_name, kind, flags = field
        if "i" in flags:
            found.update(_value(value, kind, folder))
        elif kind.startswith("[]"):
            _append(found.setdefault(json_name, []), value, kind[2:], folder)
        elif kind.startswith("{}"):
            pair = _scalars(_bytes(value))
            found.setdefault(json_name, {})[_text(pair.get(1, b""))] = _entry(pair.get(2), kind[2:], folder)
        elif kind != "skip":
            read = _value(value, kind, folder)
            if read is not None and not ("o" in flags and "p" not in flags and _is_empty(read)):
                found[json_name] = read
    return found


def _is_empty(value: Any) -> bool:
    return value is False or value == "" or (value == 0 and not isinstance(value, bool))


def _append(items: list[Any], value: Any, kind: str, folder: str) -> None:
    if kind in ("int", "bool") and isinstance(value, bytes):
        at = 0
        while at < len(value):
            number, at = _varint(value, at)
            items.append(_value(number, kind, folder))
    else:
        items.append(_value(value, kind, folder))


def _entry(value: Any, kind: str, folder: str) -> Any:
    """Return a map's value; one that is left out is the type's zero."""
    if value is None:
        value = 0 if kind in ("int", "bool") else b""
    return _value(value, kind, folder)


def _value(value: Any, kind: str, folder: str) -> Any:
    if kind.startswith("[]"):
        return [_value(item, kind[2:], folder) for _, item in _fields(_bytes(value))]
    match kind:
        case "string":
            return _text(value)
        case "int":
            return _signed(value)
        case "bool":
            return bool(value)
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "double":
            return struct.unpack("<d", _bytes(value))[0]
        case "time":
            return _time(_bytes(value))
        case "micro-time":
            return _micro_time(_bytes(value))
        case "json":
            return _json(_bytes(value))
        case "quantity":
            return _text(_scalars(_bytes(value)).get(1, b"")) or "0"
        case "int-or-string":
            return _int_or_string(_bytes(value))
        case _:
            other, _, name = kind.rpartition("#")
            return _message(_bytes(value), other or folder, name)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where bytes should be")
    return value


def _text(value: Any) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("a text is not UTF-8") from None


def _signed(value: Any) -> int:
    if not isinstance(value, int):
        raise ProtobufError("bytes stand where a number should be")
    return value - (1 << 64) if value >> 63 else value


def _time(data: bytes) -> str | None:
    """Return metav1.Time's text: whole seconds, as its JSON has them."""
    return objects.timestamp(_moment(data)) if data else None


def _micro_time(data: bytes) -> str | None:
    return objects.micro_timestamp(_moment(data)) if data else None


def _moment(data: bytes) -> datetime:
    found = _scalars(data)
    seconds, nanoseconds = _signed(found.get(1, 0)), _signed(found.get(2, 0))
    return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)


def _json(data: bytes) -> Any:
    """Return the value whose JSON is the message's first field."""
    try:
        return orjson.loads(_bytes(_scalars(data).get(1, b"")) or b"null")
    except orjson.JSONDecodeError:
        raise ProtobufError("a raw value is not JSON") from None


def _int_or_string(data: bytes) -> int | str:
    found = _scalars(data)
    return _text(found.get(3, b"")) if found.get(1) else _signed(found.get(2, 0))
