"""The types of OpenAPI documents, collected by their names.

Built-in types come from Kubernetes' own document, which ships compressed as ``schemas/openapi.json.gz`` with
every description; it is read when a document is made, and not kept.  Old Ingress versions come from
``schemas/``, custom kinds from their definitions.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from minikctl.model import structure
from minikctl.model.kinds.base import Kind

_EXTENSIONS = ("x-kubernetes-",)
_PLAIN = ("type", "format", "enum", "minimum", "maximum", "required", "default", "description")
_UNKNOWN = "x-kubernetes-preserve-unknown-fields"
_NOT_IN_2 = (
    *("allOf", "anyOf", "oneOf", "not", "nullable"),
    *("properties", "items", "additionalProperties"),
)
"""What OpenAPI 2 has no words for in a custom kind's schema, and what is converted for itself."""
_API = "io.k8s.api"
_PACKAGES = {
    "meta": "io.k8s.apimachinery.pkg.apis.meta",
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration.k8s.io": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}
_CUSTOM_HOME = "custom/v1/Kind.json"
"""Where the schemas of custom kinds would be: their references lead to the shared types of ``meta/v1``."""

Reference = dict[str, str]


def source() -> bytes:
    """Return the compressed document with Kubernetes' own types."""
    return (structure.folder() / "openapi.json.gz").read_bytes()


class Types:
    """Collects the types that one document needs, by their names in it."""

    def __init__(self, *, version2: bool) -> None:
        self.version2 = version2
        self.found: dict[str, Any] = {}
        self._prefix = "#/definitions/" if version2 else "#/components/schemas/"
        self._known: dict[str, Any] = orjson.loads(gzip.decompress(source()))

    def kind(self, kind: Kind) -> Reference:
        """Return a reference to a kind, which is collected."""
        if kind.shape is not None:
            return self._custom(kind, kind.shape.document)
        return self._type(f"{_package(kind.group or 'core')}.{kind.version}.{kind.kind}", kind)

    def list_of(self, kind: Kind) -> Reference:
        """Return a reference to the list of a kind."""
        item = self.kind(kind)
        name = f"{item['$ref'].removeprefix(self._prefix)}List"
        if name in self._known:
            return self.named(name)
        if name not in self.found:
            text = {"type": "string"}
            properties = {
                "apiVersion": text,
                "items": {"type": "array", "items": item},
                "kind": text,
                "metadata": self.named(f"{_PACKAGES['meta']}.v1.ListMeta"),
            }
            own = {"group": kind.group, "version": kind.version, "kind": kind.list_kind}
            listed = {"type": "object", "required": ["items"], "properties": properties}
            self.found[name] = {**listed, "x-kubernetes-group-version-kind": [own]}
        return {"$ref": self._prefix + name}

    def meta(self, name: str) -> Reference:
        """Return a reference to a type of meta/v1."""
        return self.named(f"{_PACKAGES['meta']}.v1.{name}")

    def named(self, name: str) -> Reference:
        """Return a reference to one of Kubernetes' own types by its full name."""
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self._known_type(self._known[name])
        return {"$ref": self._prefix + name}

    def _known_type(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return Kubernetes' own type in the form of this document, what it refers to collected."""
        found = {key: value for key, value in schema.items() if key not in ("$ref", "oneOf")}
        if "$ref" in schema:
            return self._referring(self.named(schema["$ref"]), found)
        if "oneOf" in schema:
            found.update(self._several(schema["oneOf"]))
        if "properties" in schema:
            found["properties"] = {
                name: self._known_type(each) for name, each in schema["properties"].items()
            }
        for inner in ("items", "additionalProperties"):
            if isinstance(schema.get(inner), Mapping):
                found[inner] = self._known_type(schema[inner])
        return found

    def _several(self, types: list[str]) -> dict[str, Any]:
        """Return how a value of several types, a quantity or an int-or-string, is written."""
        if self.version2:
            return {"type": "string"}
        return {"oneOf": [{"type": each} for each in types]}

    def _referring(self, reference: Reference, beside: dict[str, Any]) -> dict[str, Any]:
        if not beside:
            return dict(reference)
        return {**reference, **beside} if self.version2 else {"allOf": [reference], **beside}

    # --- types that are not Kubernetes' own -------------------------------------------------------------

    def _type(self, name: str, kind: Kind) -> Reference:
        if name in self._known:
            return self.named(name)
        path = structure.path_of(kind)
        return self._from_file(path, kind.kind, structure.document(path))

    def _from_file(self, home: str, title: str, schema: Mapping[str, Any]) -> Reference:
        group, version, _ = home.split("/")
        name = f"{_package(group)}.{version}.{title}"
        if name in self._known:
            return self.named(name)
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self._convert(schema, home)
        return {"$ref": self._prefix + name}

    def _convert(self, schema: Mapping[str, Any], home: str) -> dict[str, Any]:
        found = {key: value for key, value in schema.items() if key in _PLAIN or key.startswith(_EXTENSIONS)}
        if "$ref" in schema:
            target, path, name = structure.resolve(schema["$ref"], home)
            return self._referring(self._from_file(path, name, target), found)
        if isinstance(found.get("type"), list):
            found.pop("enum", None)
            found.update(self._several(found.pop("type")))
        for name, inner in _inner(schema, lambda each: self._convert(each, home)):
            found[name] = inner
        return found

    def _custom(self, kind: Kind, schema: Mapping[str, Any]) -> Reference:
        name = ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
        own = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        if not self.version2:
            converted = self._with_references(schema)
        elif schema.get(_UNKNOWN):
            converted = {"type": "object"}
        else:
            converted = self._simplified(schema)
        self.found[name] = {**converted, "x-kubernetes-group-version-kind": [own]}
        return {"$ref": self._prefix + name}

    def _with_references(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return a custom kind's schema with the shared types that it refers to collected."""
        if "$ref" in schema:
            return self._convert(schema, _CUSTOM_HOME)
        return {**schema, **dict(_inner(schema, self._with_references))}

    def _simplified(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return what OpenAPI 2 can say of a custom kind's schema."""
        if "$ref" in schema:
            return self._convert(schema, _CUSTOM_HOME)
        found = {key: value for key, value in schema.items() if key not in _NOT_IN_2}
        found.update(_inner(schema, self._simplified))
        if schema.get("nullable") or schema.get(_UNKNOWN):
            # kubectl takes what a list or struct says of its inside for all that may be there
            for key in ("type", "items", "properties") if _is_untyped(schema) else ("items", "properties"):
                found.pop(key, None)
        nullable = {name for name, each in schema.get("properties", {}).items() if each.get("nullable")}
        if nullable and "required" in found:
            found["required"] = [name for name in found["required"] if name not in nullable]
        return found


def _is_untyped(schema: Mapping[str, Any]) -> bool:
    """Whether OpenAPI 2 must leave the type of a nullable or open value out."""
    return bool(schema.get("nullable")) or schema.get("type") in ("array", "object")


def _inner(schema: Mapping[str, Any], convert: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a schema has below it, converted, by keyword."""
    if "properties" in schema:
        yield "properties", {name: convert(each) for name, each in schema["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield keyword, convert(schema[keyword])


def _package(group: str) -> str:
    return _PACKAGES.get(group) or f"{_API}.{group.partition('.')[0]}"
