"""The OpenAPI 2 document as protobuf, the only form in which kubectl asks for it.

The message types are those of github.com/google/gnostic-models; only what clients read of them is written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

MEDIA = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_REALS = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_COUNTS = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "maxProperties": 17,
    "minProperties": 18,
}
_FLAGS = {"exclusiveMaximum": 8, "exclusiveMinimum": 10, "uniqueItems": 16}
"""A schema's members of a plain type, with their field numbers."""
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode(document: Mapping[str, Any]) -> bytes:
    """Return the bytes of an OpenAPI 2 document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_named(2, path, _path(item)) for path, item in document["paths"].items())
    definitions = b"".join(_named(1, name, _schema(each)) for name, each in document["definitions"].items())
    return _text(1, document["swagger"]) + _bytes(2, info) + _bytes(8, paths) + _bytes(9, definitions)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode())


def _flag(number: int) -> bytes:
    return _varint(number << 3) + b"\x01"


def _named(number: int, name: str, value: bytes) -> bytes:
    return _bytes(number, _text(1, name) + _bytes(2, value))


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _extensions(number: int, holder: Mapping[str, Any]) -> bytes:
    """Write the ``x-`` members, each as YAML; JSON is YAML."""
    found = ((name, value) for name, value in holder.items() if name.startswith("x-"))
    return b"".join(_named(number, name, _bytes(2, orjson.dumps(value))) for name, value in found)


def _path(item: Mapping[str, Any]) -> bytes:
    operations = (_bytes(number, _operation(item[name])) for name, number in _METHODS.items() if name in item)
    parameters = (_bytes(9, found) for each in item.get("parameters", ()) if (found := _parameter(each)))
    return b"".join((*operations, *parameters))


def _operation(operation: Mapping[str, Any]) -> bytes:
    responses = b"".join(
        _named(1, code, _bytes(1, _response(each))) for code, each in operation.get("responses", {}).items()
    )
    return b"".join(
        (
            _text(5, operation.get("operationId", "")),
            _texts(6, operation.get("produces", ())),
            _texts(7, operation.get("consumes", ())),
            *(_bytes(8, each) for each in map(_parameter, operation.get("parameters", ())) if each),
            _bytes(9, responses),
            _extensions(13, operation),
        )
    )


def _response(response: Mapping[str, Any]) -> bytes:
    found = _text(1, response.get("description", ""))
    return found + _bytes(2, _bytes(1, _schema(response["schema"]))) if "schema" in response else found


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    """Write a parameter of the query (choice 3) or of the path (choice 4), or the body; no others."""
    if parameter.get("in") not in ("body", "path", "query"):
        return b""
    if parameter["in"] == "body":
        body = _text(2, parameter["name"]) + _text(3, "body")
        if parameter.get("required"):
            body += _flag(4)
        return _bytes(1, _bytes(1, body + _bytes(5, _bytes(1, _schema(parameter.get("schema", {}))))))
    in_path = parameter["in"] == "path"
    common = _text(2, parameter["in"]) + _text(4, parameter["name"])
    common += _text(5 if in_path else 6, parameter.get("type", "string"))
    if in_path:
        common += _flag(1)
    return _bytes(1, _bytes(2, _bytes(4 if in_path else 3, common)))


def _plain(schema: Mapping[str, Any]) -> bytes:
    """Write what a schema says in texts, numbers and flags."""
    texts = (_text(number, schema[name]) for name, number in _TEXTS.items() if name in schema)
    reals = (
        _varint(number << 3 | 1) + struct.pack("<d", schema[name])
        for name, number in _REALS.items()
        if name in schema
    )
    counts = (
        _varint(number << 3) + _varint(schema[name]) for name, number in _COUNTS.items() if name in schema
    )
    flags = (_flag(number) for name, number in _FLAGS.items() if schema.get(name))
    return b"".join((*texts, *reals, *counts, *flags))


def _schema(schema: Mapping[str, Any]) -> bytes:
    parts = [_plain(schema), _texts(19, schema.get("required", ()))]
    if "default" in schema:
        parts.append(_bytes(5, _bytes(2, orjson.dumps(schema["default"]))))
    parts += [_bytes(20, _bytes(2, orjson.dumps(value))) for value in schema.get("enum", ())]
    if isinstance(schema.get("additionalProperties"), dict):
        parts.append(_bytes(21, _bytes(1, _schema(schema["additionalProperties"]))))
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        parts.append(_bytes(22, _texts(1, types)))
    if isinstance(schema.get("items"), dict):
        parts.append(_bytes(23, _bytes(1, _schema(schema["items"]))))
    if "properties" in schema:
        properties = (_named(1, name, _schema(each)) for name, each in schema["properties"].items())
        parts.append(_bytes(25, b"".join(properties)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)
