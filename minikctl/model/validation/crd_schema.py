"""Rules for the schemas of CustomResourceDefinitions: they are structural, and their rules are CEL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from minikctl.model import causes
from minikctl.model.cel import engine
from minikctl.model.custom import checking, patterns, shaping
from minikctl.model.custom.rules import Rule
from minikctl.model.custom.structural import Structural
from minikctl.model.kind import Cause

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_AT_ROOT_WITH_STATUS = {
    "description": "Description",
    "type": "Type",
    "format": "Format",
    "title": "Title",
    "maximum": "Maximum",
    "exclusiveMaximum": "ExclusiveMaximum",
    "minimum": "Minimum",
    "exclusiveMinimum": "ExclusiveMinimum",
    "maxLength": "MaxLength",
    "minLength": "MinLength",
    "pattern": "Pattern",
    "maxItems": "MaxItems",
    "minItems": "MinItems",
    "uniqueItems": "UniqueItems",
    "multipleOf": "MultipleOf",
    "required": "Required",
    "items": "Items",
    "properties": "Properties",
    "externalDocs": "ExternalDocs",
    "example": "Example",
    "x-kubernetes-preserve-unknown-fields": "XPreserveUnknownFields",
    "x-kubernetes-validations": "XValidations",
}
"""What may stand at the root of a schema with a status, and how Kubernetes lists it."""
_NESTED_MUST_BE_EMPTY = {
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "default": "must be undefined to be structural",
    "additionalProperties": "must be undefined to be structural",
    "externalDocs": "must be undefined to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class _Place:
    """Where in a schema the walk is."""

    path: str
    level: str = "root"
    """root, field or item."""
    no_defaults: str = ""
    """Why there may be no defaults here; "" where there may be."""
    in_meta: bool = False
    uncorrelated: str = ""
    """The path of what makes that ``oldSelf`` cannot be told here."""

    def down(self, path: str, level: str) -> _Place:
        """Return the place below."""
        return replace(self, path=f"{self.path}.{path}", level=level)


def of(version: Schema) -> Schema:
    """Return a version's schema, empty if it has none."""
    return (version.get("schema") or {}).get("openAPIV3Schema") or {}


def check(schema: Schema, path: str, has_status: bool) -> list[Cause]:
    """Return what is wrong with one schema."""
    found = list(_root(schema, path, has_status))
    found += sorted(_structural(schema, _Place(path)), key=lambda cause: (cause["field"], cause["message"]))
    found += _walk(schema, _Place(path))
    if not found:
        found += _defaults(schema, path)
    if not found:
        found += _rules(schema, _Place(path))
    return found


def _root(schema: Schema, path: str, has_status: bool) -> Iterator[Cause]:
    strangers = [name for name, value in schema.items() if value and name not in _AT_ROOT_WITH_STATUS]
    type = schema.get("type") or "object"
    if has_status and type != "object":
        detail = (
            'only "object" is allowed as the type at the root of the schema '
            "if the status subresource is enabled"
        )
        yield causes.invalid(f"{path}.type", type, detail)
    elif has_status and strangers:
        listed = " ".join(_AT_ROOT_WITH_STATUS.values())
        detail = (
            f"only [{listed}] fields are allowed at the root of the schema "
            "if the status subresource is enabled"
        )
        yield causes.broken(path, detail)
    if schema.get("nullable"):
        yield causes.forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def _below(schema: Schema, place: _Place) -> Iterator[tuple[Schema, _Place]]:
    """Yield the schemas that say what is inside."""
    items, values = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        blind = schema.get("x-kubernetes-list-type") != "map" and not place.uncorrelated
        below = place.down("items", "item")
        yield items, replace(below, uncorrelated=place.path) if blind else below
    if isinstance(values, dict):
        below = place.down("additionalProperties", "field")
        reason = (
            "inside additionalProperties applying to object metadata" if place.in_meta else place.no_defaults
        )
        yield values, replace(below, no_defaults=reason)
    for name, inner in (schema.get("properties") or {}).items():
        below = place.down(f"properties[{name}]", "field")
        if schema.get("x-kubernetes-map-type") == "atomic" and not place.uncorrelated:
            below = replace(below, uncorrelated=place.path)
        meta = name in ("metadata", "kind", "apiVersion")
        if meta and (place.level == "root" or schema.get("x-kubernetes-embedded-resource")):
            reason = f"in top-level {name}" if place.level == "root" else place.no_defaults
            below = replace(below, in_meta=True, no_defaults=reason)
        yield inner, below


def _nested(schema: Schema, place: _Place) -> Iterator[tuple[Schema, _Place]]:
    """Yield the schemas of allOf, anyOf, oneOf and not, with their places."""
    for name in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(name) or ()):
            yield inner, replace(place, path=f"{place.path}.{name}[{index}]")
    if schema.get("not") is not None:
        yield schema["not"], replace(place, path=f"{place.path}.not")


# --- structure --------------------------------------------------------------------------------------------


def _structural(schema: Schema, place: _Place) -> Iterator[Cause]:
    for inner, below in _below(schema, place):
        yield from _structural(inner, below)
    path, type = place.path, schema.get("type")
    if type == "array" and schema.get("items") is None:
        yield causes.required(f"{path}.items", "must be specified")
    if place.level == "root" and schema.get("additionalProperties") is not None:
        yield causes.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    yield from _types(schema, place)
    yield from _extensions(schema, path)
    yield from _meta(schema, place)
    for inner, below in _nested(schema, place):
        exempt = inner.get("anyOf") == _INT_OR_STRING and ".allOf[0]" in below.path
        if schema.get("anyOf") == _INT_OR_STRING and ".anyOf[" in below.path.removeprefix(path):
            continue
        yield from _nested_structural(inner, below, schema, exempt)
    yield from _pattern(schema, path)


def _types(schema: Schema, place: _Place) -> Iterator[Cause]:
    path, type = f"{place.path}.type", schema.get("type") or ""
    if schema.get("x-kubernetes-embedded-resource"):
        detail = "must be object if x-kubernetes-embedded-resource is true"
        if not type:
            yield causes.required(path, detail)
        elif type != "object":
            yield causes.invalid(path, type, detail)
    elif not type and not (
        schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    ):
        where = {
            "root": "at the root",
            "item": "for specified array items",
            "field": "for specified object fields",
        }
        yield causes.required(path, f"must not be empty {where[place.level]}")
    if place.level == "root" and type and type != "object":
        yield causes.invalid(path, type, "must be object at the root")


def _extensions(schema: Schema, path: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-int-or-string"):
        for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(name):
                detail = "must be false if x-kubernetes-int-or-string is true"
                yield causes.invalid(f"{path}.{name}", True, detail)
    if schema.get("x-kubernetes-embedded-resource"):
        if schema.get("additionalProperties") is not None:
            detail = "must not be used if x-kubernetes-embedded-resource is set"
            yield causes.forbidden(f"{path}.additionalProperties", detail)
        if not schema.get("properties") and not schema.get("x-kubernetes-preserve-unknown-fields"):
            detail = (
                "must not be empty if x-kubernetes-embedded-resource is true "
                "without x-kubernetes-preserve-unknown-fields"
            )
            yield causes.required(f"{path}.properties", detail)


def _meta(schema: Schema, place: _Place) -> Iterator[Cause]:
    is_resource = place.level == "root" or bool(schema.get("x-kubernetes-embedded-resource"))
    properties = schema.get("properties") or {}
    for name, wanted in (("kind", "string"), ("apiVersion", "string"), ("metadata", "object")):
        if is_resource and name in properties and properties[name].get("type") != wanted:
            where = f"{place.path}.properties[{name}].type"
            yield causes.invalid(where, properties[name].get("type") or "", f"must be {wanted}")
    meta = properties.get("metadata")
    if place.level == "root" and meta is not None:
        named = set(meta.get("properties") or {})
        shape = {
            key
            for key in meta
            if key.startswith("x-") or key in ("nullable", "title", "description", "items")
        }
        if not named <= {"name", "generateName"} or shape or meta.get("additionalProperties") is not None:
            detail = (
                "must not specify anything other than name and generateName, "
                "but metadata is implicitly specified"
            )
            yield causes.forbidden(f"{place.path}.properties[metadata]", detail)


def _pattern(schema: Schema, path: str) -> Iterator[Cause]:
    pattern = schema.get("pattern")
    if pattern and (fault := patterns.fault(pattern)):
        detail = f"must be a valid regular expression, but isn't: error parsing regexp: {fault}"
        yield causes.invalid(f"{path}.pattern", pattern, detail)


def _nested_structural(schema: Schema, place: _Place, outer: Schema, exempt: bool) -> Iterator[Cause]:
    """Yield what makes a schema below allOf, anyOf, oneOf or not more than a restriction of the outer one."""
    path = place.path
    if schema.get("type"):
        yield causes.forbidden(f"{path}.type", "must be empty to be structural")
    for name, detail in _NESTED_MUST_BE_EMPTY.items():
        if schema.get(name) not in (None, False, "", []):
            yield causes.forbidden(f"{path}.{name}", detail)
    for name, inner in (schema.get("properties") or {}).items():
        below = replace(place, path=f"{path}.properties[{name}]")
        if name == "metadata":
            yield causes.forbidden(below.path, "must not be specified in a nested context")
        spine = (outer.get("properties") or {}).get(name)
        if spine is None:
            where = re.sub(r"\.(allOf|anyOf|oneOf)\[\d+\]|\.not", "", below.path)
            yield causes.required(where, f"because it is defined in {below.path}")
        yield from _nested_structural(inner, below, spine or {}, False)
    if isinstance(schema.get("items"), dict):
        spine = outer.get("items")
        if not isinstance(spine, dict):
            where = re.sub(r"\.(allOf|anyOf|oneOf)\[\d+\]|\.not", "", f"{path}.items")
            yield causes.required(where, f"because it is defined in {path}.items")
        yield from _nested_structural(
            schema["items"],
            replace(place, path=f"{path}.items"),
            spine if isinstance(spine, dict) else {},
            False,
        )
    for inner, below in _nested(schema, place):
        if not (exempt and ".anyOf[" in below.path.removeprefix(path)):
            yield from _nested_structural(inner, below, outer, False)
    yield from _pattern(schema, path)


# --- fields -----------------------------------------------------------------------------------------------


def _walk(schema: Schema, place: _Place) -> Iterator[Cause]:
    yield from _fields(schema, place)
    yield from _lists(schema, place.path)
    yield from _rule_texts(schema, place.path)
    for inner, below in (*_below(schema, place), *_nested(schema, place)):
        yield from _walk(inner, below)


def _fields(schema: Schema, place: _Place) -> Iterator[Cause]:
    path, type = place.path, schema.get("type") or ""
    if type == "null":
        detail = "type cannot be set to null, use nullable as an alternative"
        yield causes.forbidden(f"{path}.type", detail)
    elif type and type not in _TYPES:
        yield causes.unlisted(f"{path}.type", type, _TYPES)
    if schema.get("default") is not None and place.no_defaults:
        yield causes.forbidden(f"{path}.default", f"must not be set {place.no_defaults}")
    for name in _UNSUPPORTED:
        if schema.get(name):
            yield causes.forbidden(f"{path}.{name}", f"{name} is not supported")
    if isinstance(schema.get("items"), list):
        yield causes.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield causes.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("properties") and schema.get("additionalProperties") not in (None, True):
        detail = "additionalProperties and properties are mutual exclusive"
        yield causes.forbidden(f"{path}.additionalProperties", detail)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        where = f"{path}.x-kubernetes-preserve-unknown-fields"
        yield causes.invalid(where, False, "must be true or undefined")
    if place.in_meta and schema.get("x-kubernetes-embedded-resource"):
        where = f"{path}.x-kubernetes-embedded-resource"
        yield causes.forbidden(where, "must not be used inside of resource meta")


def _lists(schema: Schema, path: str) -> Iterator[Cause]:
    type, list_type = schema.get("type") or "", schema.get("x-kubernetes-list-type")
    map_type, keys = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-map-keys") or []
    for name, said, wanted in (("map", map_type, "object"), ("list", list_type, "array")):
        if said is not None and type != wanted:
            detail = f"must be {wanted} if x-kubernetes-{name}-type is specified"
            yield (
                causes.invalid(f"{path}.type", type, detail)
                if type
                else causes.required(f"{path}.type", detail)
            )
    if map_type not in (None, "atomic", "granular"):
        yield causes.unlisted(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))
    if list_type not in (None, "atomic", "set", "map"):
        yield causes.unlisted(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "set", "map"))
    if keys and list_type != "map":
        where, detail = (
            f"{path}.x-kubernetes-list-type",
            "must be map if x-kubernetes-list-map-keys is non-empty",
        )
        yield causes.invalid(where, list_type, detail) if list_type else causes.required(where, detail)
    items = schema.get("items")
    if list_type in ("set", "map") and isinstance(items, dict):
        if items.get("nullable"):
            detail = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
            yield causes.forbidden(f"{path}.items.nullable", detail)
        yield from (_set_items if list_type == "set" else _map_items)(items, keys, path)
    if list_type == "map" and not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield causes.required(f"{path}.x-kubernetes-list-map-keys", detail)


def _set_items(items: Schema, _keys: list[str], path: str) -> Iterator[Cause]:
    detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get("x-kubernetes-list-type") not in (None, "atomic"):
        where = f"{path}.items.x-kubernetes-list-type"
        yield causes.invalid(where, items["x-kubernetes-list-type"], detail)
    if items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        where = f"{path}.items.x-kubernetes-map-type"
        yield causes.invalid(where, items.get("x-kubernetes-map-type"), detail)


def _map_items(items: Schema, keys: list[str], path: str) -> Iterator[Cause]:
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield causes.invalid(f"{path}.items.type", items.get("type") or "", detail)
        return
    properties, where = items.get("properties") or {}, f"{path}.x-kubernetes-list-map-keys"
    for index, key in enumerate(keys):
        field, here = properties.get(key), f"{path}.items.properties[{key}]"
        if field is None:
            yield causes.invalid(where, keys, "entries must all be names of item properties")
            continue
        if key in keys[:index]:
            yield causes.invalid(where, keys, "must not contain duplicate entries")
        if field.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield causes.invalid(f"{here}.type", field["type"], detail)
        if key not in (items.get("required") or ()) and field.get("default") is None:
            detail = (
                "this property is in x-kubernetes-list-map-keys, "
                "so it must have a default or be a required property"
            )
            yield causes.required(f"{here}.default", detail)
        if field.get("nullable"):
            detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield causes.forbidden(f"{here}.nullable", detail)


def _defaults(schema: Schema, path: str) -> Iterator[Cause]:
    """Yield defaults that the schema itself would refuse."""
    default = schema.get("default")
    if default is not None:
        node = Structural(schema)
        yield from (
            {**cause, "field": f"{path}.default{cause['field'].removeprefix('<nil>')}"}
            for cause in checking.check(node, default)
        )
        if next(shaping.unknown(node, _NO_META, default), None) is not None:
            detail = "must not have unknown fields"
            yield causes.invalid(f"{path}.default", default, detail)
    for inner, below in _below(schema, _Place(path)):
        yield from _defaults(inner, below.path)


_NO_META = shaping.ANY_META


# --- rules ------------------------------------------------------------------------------------------------


def _rule_texts(schema: Schema, path: str) -> Iterator[Cause]:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        where = f"{path}.x-kubernetes-validations[{index}]"
        source, message = str(rule.get("rule") or "").strip(), str(rule.get("message") or "")
        if not source:
            yield causes.required(f"{where}.rule", "rule is not specified")
        elif message and not message.strip():
            detail = "message must be non-empty if specified"
            yield causes.invalid(f"{where}.message", message, detail)
        elif "\n" in message.strip():
            yield causes.invalid(f"{where}.message", message, "message must not contain line breaks")
        elif "\n" in source and not message.strip():
            detail = "message must be specified if rule contains line breaks"
            yield causes.required(f"{where}.message", detail)
        reason = rule.get("reason")
        known = ("FieldValueRequired", "FieldValueForbidden", "FieldValueInvalid", "FieldValueDuplicate")
        if reason is not None and reason not in known:
            yield causes.unlisted(f"{where}.reason", reason, known)


def _rules(schema: Schema, place: _Place) -> Iterator[Cause]:
    """Yield the rules that cannot be compiled, or could never be asked."""
    node = Structural(schema, is_root=place.level == "root")
    for index, given in enumerate(schema.get("x-kubernetes-validations") or ()):
        where, rule = f"{place.path}.x-kubernetes-validations[{index}]", Rule(given, node)
        try:
            if rule.program.type not in ("bool", "dyn"):
                yield causes.invalid(f"{where}.rule", given, "cel expression must evaluate to a bool")
        except engine.CompileError as error:
            yield causes.invalid(f"{where}.rule", given, f"compilation failed: {error}")
        try:
            message = rule.message_program
            if message is not None and message.type not in ("string", "dyn"):
                detail = "messageExpression must evaluate to a string"
                yield causes.invalid(f"{where}.messageExpression", given, detail)
        except engine.CompileError as error:
            detail = f"messageExpression compilation failed: {error}"
            yield causes.invalid(f"{where}.messageExpression", given, detail)
        if rule.is_transition and place.uncorrelated:
            detail = (
                "oldSelf cannot be used on the uncorrelatable portion of the schema "
                f"within {place.uncorrelated}"
            )
            yield causes.invalid(f"{where}.rule", given.get("rule"), detail)
    for inner, below in _below(schema, place):
        yield from _rules(inner, below)
