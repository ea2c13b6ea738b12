"""Request bodies: from bytes to objects, with the refusals that Kubernetes has for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import orjson
import yaml

from minikctl import errors
from minikctl.apiserver import protobuf
from minikctl.apiserver.http_exchange import Exchange
from minikctl.apiserver.options import PatchType
from minikctl.model import decoding, schema
from minikctl.model.kinds.base import Kind
from minikctl.model.objects import Object

DEEPEST = 150
"""No kind nests half as deeply; walks of deeper bodies would exhaust the stack."""
MOST_VALUES = 2_000_000
"""More do not fit into the biggest JSON body that is taken."""

JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml")
READABLE = f"application/json, application/yaml, {protobuf.MEDIA}"
PATCHES: dict[str, PatchType] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}
LONG_YAML = 16 * 1024
"""Longer texts are read beside the loop: PyYAML takes a second for a few hundred KiB."""
APPLY = "application/apply-patch+yaml"


def patches(kind: Kind) -> list[str]:
    """Return the media types of the patches that a kind takes: a custom one has no strategic merge."""
    found = [media for media, type in PATCHES.items() if not (kind.is_custom and type == "strategic")]
    return [*found, APPLY]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads YAML as JSON: dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def media_type(exchange: Exchange) -> str:
    """Return the body's media type without its parameters."""
    return exchange.headers.get("content-type", "").partition(";")[0].strip().lower()


def unsupported(accepted: str) -> errors.StatusError:
    """415: the body's format is not spoken here; clients fall back to one that is."""
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    return errors.StatusError(415, "UnsupportedMediaType", text)


def parse(data: bytes, media: str) -> Any:
    """Return the value that JSON, YAML or protobuf bytes describe; 415 for other formats, 400 if broken."""
    if media in JSON_TYPES:
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise errors.bad_request(f"the object provided is unrecognized (invalid JSON): {error}") from None
        if data.count(b"{") + data.count(b"[") > DEEPEST:
            _check_depth(found)
        return found
    if media in YAML_TYPES:
        return _yaml(data)
    if media == protobuf.MEDIA:
        try:
            return protobuf.decode(data)
        except protobuf.ProtobufError as error:
            raise errors.bad_request(f"the object provided is unrecognized: {error}") from None
    raise unsupported(READABLE)


def _yaml(data: bytes) -> Any:
    """Return what YAML describes, as JSON would: keys are text, and there is nothing that JSON has not.

    Members are sorted by their keys, as the way through Go's maps leaves them: warnings come in that order.
    """
    try:
        found = yaml.load(data, Loader=_Loader)
        _check_depth(found)
        return orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS))
    except (yaml.YAMLError, orjson.JSONEncodeError) as error:
        raise errors.bad_request(f"error converting YAML to JSON: {error}") from None


def _check_depth(found: Any) -> None:
    """Raise 400 for what is nested too deeply to be walked, or too big by YAML's aliases."""
    level: list[Any] = [found]
    total = 0
    for _ in range(DEEPEST):
        holders = [each for each in level if isinstance(each, dict | list)]
        total += sum(map(len, holders))
        if not holders or total > MOST_VALUES:
            break
        level = [inner for each in holders for inner in (each.values() if isinstance(each, dict) else each)]
    else:
        total = MOST_VALUES + 1
    if total > MOST_VALUES:
        raise errors.bad_request("the object provided is unrecognized: it is nested too deeply or too big")


async def _decoded(data: bytes, media: str) -> Any:
    """Return what ``parse`` does, without keeping other requests waiting for a long YAML text."""
    if media in YAML_TYPES and len(data) > LONG_YAML:
        return await asyncio.to_thread(parse, data, media)
    return parse(data, media)


async def _told_twice(data: bytes, media: str, found: Any) -> list[str]:
    if media in YAML_TYPES and len(data) > LONG_YAML:
        return await asyncio.to_thread(repeated, data, media, found)
    return repeated(data, media, found)


async def read(exchange: Exchange) -> Object:
    """Return the object in the body."""
    data = await exchange.body()
    if not data.strip():
        raise errors.bad_request("the request has no body")
    found = await _decoded(data, media_type(exchange))
    if not isinstance(found, dict):
        raise errors.bad_request("the object provided is unrecognized: it is not an object")
    return found


async def read_optional(exchange: Exchange) -> Object:
    """Return the object in the body, {} when there is no body."""
    data = await exchange.body()
    if not data.strip():
        return {}
    found = await _decoded(data, media_type(exchange))
    if not isinstance(found, dict):
        raise errors.bad_request("the object provided is unrecognized: it is not an object")
    return found


async def read_configuration(exchange: Exchange) -> Object:
    """Return the body of a server-side apply: YAML, of which JSON is a part."""
    data = await exchange.body()
    strictness = field_validation(exchange)
    is_json = data.lstrip()[:1] == b"{"
    try:
        found = await _decoded(data, "application/json" if is_json else "application/yaml")
    except errors.StatusError as error:
        raise errors.bad_request(f"error decoding patch: {error}") from None
    if not isinstance(found, dict):
        raise errors.bad_request("error decoding patch: the configuration is not an object")
    media = "application/json" if is_json else "application/yaml"
    said = await _told_twice(data, media, found) if strictness != "Ignore" else []
    if said and strictness == "Strict":
        raise errors.bad_request(f"error strict decoding patch: {', '.join(said)}")
    exchange.warnings.extend(said)
    return found


async def read_resource(exchange: Exchange, kind: Kind) -> Object:
    """Return the body as an object of that kind: its types checked, its unknown fields judged and dropped."""
    strictness = field_validation(exchange)
    media = media_type(exchange)
    data = await exchange.body()
    obj = await _decoded(data, media)
    if not isinstance(obj, dict):
        raise errors.bad_request(decoding.wrong(kind, "the body is not an object"))
    _check_kind(kind, obj)
    fault = decoding.decode_errors(kind, obj)
    if fault:
        raise errors.bad_request(fault)
    if strictness != "Ignore":
        _judge(exchange, kind, obj, await _told_twice(data, media, obj), data)
    schema.drop_unknown(kind, obj)
    return obj


def repeated(data: bytes, media: str, found: Any) -> list[str]:
    """Return what is to be said of names that come twice in one object of a body."""
    if media in JSON_TYPES:
        return [] if _has_all(data, found) else [f'duplicate field "{path}"' for path in duplicates(data)]
    if media not in YAML_TYPES:
        return []
    lines = [f'  line {line}: key "{name}" already set in map' for line, name in _yaml_repeated(data)]
    return ["yaml: unmarshal errors:\n" + "\n".join(lines)] if lines else []


def _yaml_repeated(data: bytes) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    waiting: list[Any] = [yaml.compose(data, Loader=_Loader)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            names: set[str] = set()
            for key, value in node.value:
                waiting.append(value)
                if str(key.value) in names:
                    found.append((key.start_mark.line + 1, str(key.value)))
                names.add(str(key.value))
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    return sorted(found)


def _judge(exchange: Exchange, kind: Kind, obj: Object, found: list[str], data: bytes) -> None:
    unknown = schema.unknown_fields(kind, obj)
    if found and media_type(exchange) in JSON_TYPES:
        found = list(_in_order(json.loads(data, object_pairs_hook=_Pairs), "", set(unknown)))
    else:
        found += [f'unknown field "{path}"' for path in unknown]
    if not found:
        return
    if field_validation(exchange) == "Strict":
        raise errors.bad_request(decoding.wrong(kind, f"strict decoding error: {', '.join(found)}"))
    exchange.warnings.extend(line for text in found for line in _lines(text))


def _lines(text: str) -> list[str]:
    """Return what a decoder says as warnings of a line each: a YAML error has a line for each key."""
    return [line.strip() for line in text.removeprefix("yaml: unmarshal errors:\n").split("\n")]


def field_validation(exchange: Exchange) -> str:
    """Return Strict, Warn or Ignore; Warn unless the client says otherwise."""
    wanted = exchange.query.get("fieldValidation") or "Warn"
    if wanted not in ("Strict", "Warn", "Ignore"):
        cause = {
            "reason": "FieldValueNotSupported",
            "field": "fieldValidation",
            "message": f'Unsupported value: "{wanted}": supported values: "Ignore", "Strict", "Warn"',
        }
        raise errors.invalid("CreateOptions", "meta.k8s.io", "", [cause])
    return wanted


def _check_kind(kind: Kind, obj: Object) -> None:
    version = obj.setdefault("apiVersion", kind.api_version) or kind.api_version
    name = obj.setdefault("kind", kind.kind) or kind.kind
    if version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if name != kind.kind:
        raise errors.bad_request(f'{name} in version "{kind.version}" cannot be handled as a {kind.kind}')


def _has_all(data: bytes, found: Any) -> bool:
    """Tell, cheaply, whether everything that JSON text says is in what was read of it: nothing came twice.

    A name that comes twice leaves quotes that are not there when the value is written again.
    """
    return b"\\u" not in data and data.count(b'"') == orjson.dumps(found).count(b'"')


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its names as they were written."""


class _Found(Exception):
    """There are duplicates."""


def duplicates(data: bytes) -> list[str]:
    """Return the paths of the names that JSON text gives twice in one object."""
    if not data:
        return []

    def watch(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) != len(pairs):
            raise _Found

    try:
        json.loads(data, object_pairs_hook=watch)
    except _Found:
        return list(_walk(json.loads(data, object_pairs_hook=_Pairs), ""))
    except RecursionError:
        raise errors.bad_request("the object is nested too deeply") from None
    return []


def _in_order(value: Any, path: str, unknown: set[str]) -> Iterator[str]:
    """Yield what is wrong with names as Kubernetes' decoder comes to them; the unknown are told once."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inner in value:
            below = f"{path}.{name}" if path else name
            if below not in unknown:
                if name in seen:
                    yield f'duplicate field "{below}"'
                yield from _in_order(inner, below, unknown)
            elif name not in seen:
                yield f'unknown field "{below}"'
            seen.add(name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _in_order(inner, f"{path}[{index}]", unknown)


def _walk(value: Any, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, inner in value:
            below = f"{path}.{name}" if path else name
            if name in seen:
                found.append(below)
            seen.add(name)
            found += _walk(inner, below)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += _walk(inner, f"{path}[{index}]")
    return found
