"""OpenAPI documents from the schemas: version 3 per group and version, version 2 for everything.

Types are named as Kubernetes names them (``io.k8s.api.core.v1.Pod``): clients find a kind by its
``x-kubernetes-group-version-kind``, and what they may ask for by the parameters of its paths.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from minikctl.apiserver import discovery, http_bodies, http_paths, openapi_protobuf
from minikctl.model import structure
from minikctl.model.kinds.base import Kind
from minikctl.model.kindtable import KindTable

_EXTENSIONS = ("x-kubernetes-",)
_PLAIN = ("type", "format", "enum", "minimum", "maximum", "required", "default", "description")
_PACKAGES = {
    "core": "io.k8s.api.core",
    "meta": "io.k8s.apimachinery.pkg.apis.meta",
    "extensions": "io.k8s.api.extensions",
}


_CUSTOM_HOME = "custom/v1/Kind.json"
"""Where the schemas of custom kinds would be: their references lead to the shared types of ``meta/v1``."""


class _Names:
    """Collects the types that one document needs, by their names in it."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.found: dict[str, Any] = {}
        self._strict_v2 = prefix.startswith("#/definitions")

    def kind(self, kind: Kind) -> dict[str, str]:
        """Return a reference to a kind, which is collected."""
        if kind.shape is not None:
            return self._custom(kind, kind.shape.document)
        return self._reference(
            structure.path_of(kind), kind.kind, structure.document(structure.path_of(kind))
        )

    def _custom(self, kind: Kind, schema: Mapping[str, Any]) -> dict[str, str]:
        name = ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
        own = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        converted = self._simplified(schema) if self._strict_v2 else self._with_references(schema)
        self.found[name] = {**converted, "x-kubernetes-group-version-kind": [own]}
        return {"$ref": self._prefix + name}

    def _with_references(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a custom kind's schema with the shared types that it refers to collected."""
        if "$ref" in schema:
            return self._convert(schema, _CUSTOM_HOME)
        found = dict(schema)
        for inner in ("items", "additionalProperties"):
            if isinstance(found.get(inner), Mapping):
                found[inner] = self._with_references(found[inner])
        if "properties" in found:
            found["properties"] = {
                name: self._with_references(each) for name, each in found["properties"].items()
            }
        return found

    def _simplified(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return what OpenAPI 2 can say of a custom kind's schema."""
        if "$ref" in schema:
            return self._convert(schema, _CUSTOM_HOME)
        loose = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"
        if schema.get("nullable") or any(schema.get(each) for each in loose):
            return {key: schema[key] for key in ("description", *loose) if key in schema}
        found = {key: value for key, value in schema.items() if key in _PLAIN or key.startswith(_EXTENSIONS)}
        found.pop("default", None)
        for inner in ("items", "additionalProperties"):
            if isinstance(schema.get(inner), Mapping):
                found[inner] = self._simplified(schema[inner])
        if "properties" in schema:
            found["properties"] = {
                name: self._simplified(each) for name, each in schema["properties"].items()
            }
        return found

    def _reference(self, home: str, title: str, schema: Mapping[str, Any]) -> dict[str, str]:
        name = f"{_package(home)}.{title}"
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self._convert(schema, home)
        return {"$ref": self._prefix + name}

    def _convert(self, schema: Mapping[str, Any], home: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in schema.items():
            if key in _PLAIN or key.startswith(_EXTENSIONS):
                found[key] = value
        if "$ref" in schema:
            target, path, name = structure.resolve(schema["$ref"], home)
            reference = self._reference(path, name, target)
            if self._strict_v2 or not found:
                return reference
            return {"allOf": [reference], **found}
        if isinstance(found.get("type"), list):
            self._several(found)
        if "properties" in schema:
            found["properties"] = {
                name: self._convert(each, home) for name, each in schema["properties"].items()
            }
        for inner in ("items", "additionalProperties"):
            if isinstance(schema.get(inner), Mapping):
                found[inner] = self._convert(schema[inner], home)
        return found

    def _several(self, schema: dict[str, Any]) -> None:
        """Write a value of several types as OpenAPI can: int-or-string, or quantities."""
        types = schema.pop("type")
        schema.pop("enum", None)
        if self._strict_v2:
            schema["type"] = "string"
        else:
            schema["oneOf"] = [{"type": each} for each in types]


def _package(home: str) -> str:
    group, version, _ = home.split("/")
    return f"{_PACKAGES.get(group, 'io.k8s.api.' + group.removesuffix('.k8s.io'))}.{version}"


# --- paths ------------------------------------------------------------------------------------------------

_WRITE_QUERY = ("pretty", "dryRun", "fieldManager", "fieldValidation")
_READ_QUERY = ("pretty", "labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "watch")


def _parameters(names: tuple[str, ...], version2: bool) -> list[dict[str, Any]]:
    text: dict[str, Any] = (
        {"type": "string", "uniqueItems": True} if version2 else {"schema": {"type": "string"}}
    )
    return [{"name": name, "in": "query", **text} for name in names]


def _path_of(kind: Kind) -> str:
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    return f"{base}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"


def _paths(kind: Kind, reference: dict[str, str], version2: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    collection = _path_of(kind)
    operation = functools.partial(_operation, kind, reference, version2)
    yield (
        collection,
        {
            "get": operation("list", _READ_QUERY),
            "post": operation("post", _WRITE_QUERY),
            "delete": operation("deletecollection", ("dryRun",)),
            "parameters": _path_parameters(kind, "namespace", version2=version2),
        },
    )
    yield collection + "/{name}", _item(kind, operation, version2)
    for subresource in sorted(http_paths.subresources(kind) & {"status"}):
        yield f"{collection}/{{name}}/{subresource}", _item(kind, operation, version2)


def _item(kind: Kind, operation: Any, version2: bool) -> dict[str, Any]:
    return {
        "get": operation("get", ("pretty",)),
        "put": operation("put", _WRITE_QUERY),
        "patch": operation("patch", (*_WRITE_QUERY, "force")),
        "delete": operation("delete", ("dryRun", "gracePeriodSeconds", "propagationPolicy")),
        "parameters": _path_parameters(kind, "namespace", "name", version2=version2),
    }


def _path_parameters(kind: Kind, *names: str, version2: bool) -> list[dict[str, Any]]:
    kept = [name for name in names if name != "namespace" or kind.namespaced]
    text: dict[str, Any] = {"type": "string"} if version2 else {"schema": {"type": "string"}}
    return [{"name": name, "in": "path", "required": True, **text} for name in kept]


def _operation(
    kind: Kind, reference: dict[str, str], version2: bool, action: str, query: tuple[str, ...]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "OK"}
    if version2:
        answer["schema"] = reference
    else:
        answer["content"] = {"application/json": {"schema": reference}}
    found: dict[str, Any] = {
        "operationId": f"{action}-{kind.group or 'core'}-{kind.version}-{kind.plural}",
        "responses": {"200": answer},
        "parameters": _parameters(query, version2),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    }
    if version2:
        found["produces"] = ["application/json", "application/yaml"]
    if action == "patch":
        _accept_patches(found, version2)
    return found


def _accept_patches(operation: dict[str, Any], version2: bool) -> None:
    """Announce the patch types: kubectl looks here whether it may send a strategic merge patch."""
    if version2:
        operation["consumes"] = list(http_bodies.PATCHES)
    else:
        content = {media: {"schema": {"type": "object"}} for media in http_bodies.PATCHES}
        operation["requestBody"] = {"content": content}


# --- documents --------------------------------------------------------------------------------------------

_INFO = {"title": "Kubernetes", "version": "v1.36.2"}


def version_3(table: KindTable, group: str, version: str) -> bytes:
    """Return the OpenAPI 3 document of one group and version."""
    return _version_3(tuple(table.of_version(group, version)))


@functools.lru_cache(maxsize=256)
def _version_3(served: tuple[Kind, ...]) -> bytes:
    names = _Names("#/components/schemas/")
    paths: dict[str, Any] = {}
    for kind in served:
        paths.update(_paths(kind, names.kind(kind), version2=False))
    body = {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": names.found}}
    return orjson.dumps(body)


@functools.lru_cache(maxsize=1)
def version_2(table: KindTable) -> bytes:
    """Return the OpenAPI 2 document of everything, as JSON."""
    return orjson.dumps(_version_2(table))


@functools.lru_cache(maxsize=1)
def version_2_protobuf(table: KindTable) -> bytes:
    """Return the OpenAPI 2 document of everything, as protobuf."""
    return openapi_protobuf.encode(_version_2(table))


def _version_2(table: KindTable) -> dict[str, Any]:
    names = _Names("#/definitions/")
    paths: dict[str, Any] = {}
    for group, versions in discovery.groups(table).items():
        for version in versions:
            for kind in table.of_version(group, version):
                paths.update(_paths(kind, names.kind(kind), version2=True))
    return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": names.found}


@functools.lru_cache(maxsize=1)
def index(table: KindTable) -> bytes:
    """Return the list of OpenAPI 3 documents, each with a hash by which clients cache it."""
    paths = {}
    for group, versions in discovery.groups(table).items():
        for version in versions:
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(version_3(table, group, version)).hexdigest().upper()
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return orjson.dumps({"paths": paths})
