"""What the schemas of ``schemas/`` say of an object: unknown fields, defaults, structure, list keys."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from minikctl.model import causes, objects, quantity, structure
from minikctl.model.kind import Cause, Kind
from minikctl.model.objects import Object
from minikctl.model.structure import Node

if TYPE_CHECKING:
    import jsonschema

_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_WHOLE_SECONDS = len("2006-01-02T15:04:05Z")
"""The length of the only form in which metav1.Time is kept."""


def load(kind: Kind) -> dict[str, Any]:
    """Return the kind's JSON Schema as its file has it; its ``$ref``s lead to ``types.json`` files."""
    return structure.document(structure.path_of(kind))


def root(kind: Kind) -> Node:
    """Return the tree of the kind's schema."""
    if kind.shape is not None:
        return kind.shape.root
    return structure.of(structure.path_of(kind))


_NOTHING: tuple[Any, ...] = (None, [], {})


# --- unknown fields -------------------------------------------------------------------------------


def unknown_below(node: Node, value: Any, path: str) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield (the object, the key, its path) for each field that the schema does not know."""
    if isinstance(value, list) and node.items:
        for index, item in enumerate(value):
            yield from unknown_below(node.items, item, f"{path}[{index}]")
    elif isinstance(value, dict) and (node.properties or node.values):
        for key, inner in value.items():
            below = node.child(key)
            if below is None:
                yield value, key, causes.child(path, key)
            else:
                yield from unknown_below(below, inner, causes.child(path, key))


def unknown_fields(kind: Kind, obj: Object) -> list[str]:
    """Return the paths of all fields that the kind does not have, such as ``spec.containers[0].imagee``."""
    if kind.shape is not None:
        return kind.shape.unknown_fields(obj)
    return [path for _, _, path in unknown_below(root(kind), obj, "")]


def drop_unknown(kind: Kind, obj: Object) -> None:
    """Remove, in place, all fields that the kind does not have."""
    if kind.shape is not None:
        kind.shape.drop_unknown(obj)
        return
    for holder, key, _ in list(unknown_below(root(kind), obj, "")):
        del holder[key]


# --- defaults -------------------------------------------------------------------------------------


def apply_defaults(kind: Kind, obj: Object) -> None:
    """Complete the object in place: null means absent, schema defaults filled in, quantities canonical.

    Empty lists and maps that may be left out are: Kubernetes keeps objects in a form (protobuf) that cannot
    tell them from absent ones.  A custom kind's own fields stay as they are, its metadata does not.
    """
    if kind.shape is None:
        _complete(root(kind), obj)
        return
    kind.shape.apply_defaults(obj)
    meta = obj.get("metadata")
    if isinstance(meta, dict):
        for key in [key for key, inner in meta.items() if inner in ({}, [])]:
            del meta[key]


def _complete(node: Node, value: dict[str, Any]) -> None:
    for key in [key for key, inner in value.items() if inner in _NOTHING]:
        if value[key] is not None:
            if key in node.collections:
                del value[key]
        elif key not in node.properties and node.values and node.values.type == "string":
            value[key] = ""
        else:
            del value[key]
    for key, default in node.defaults.items():
        if key not in value:
            value[key] = copy.deepcopy(default) if isinstance(default, dict | list) else default
    for key, inner in value.items():
        below = node.child(key)
        if below is not None:
            value[key] = _completed(below, inner)


def _completed(node: Node, value: Any) -> Any:
    if node.is_open:
        return value
    if isinstance(value, dict):
        _complete(node, value)
    elif isinstance(value, list) and node.items:
        zero: Any = {} if node.items.type == "object" else ""
        value[:] = [_completed(node.items, zero if item is None else item) for item in value]
    elif node.format == "quantity":
        return quantity.canonical(value)
    elif node.format == "date-time" and len(value) != _WHOLE_SECONDS:
        return objects.in_utc(value)
    elif node.format == "micro-time":
        return objects.in_utc(value, micro=True)
    return value


# --- structure ------------------------------------------------------------------------------------


def check(kind: Kind, obj: Object, old: Object | None = None) -> list[Cause]:
    """Return what breaks the kind's schema: required fields, allowed values, ranges, types.

    ``jsonschema`` takes many milliseconds for a Deployment, and nearly every object is sound.  So a walk of
    our own over the same schema (0.1 ms) decides whether there is anything to say; ``jsonschema`` says it.
    Custom kinds tolerate on update what ``old`` has already.
    """
    if kind.shape is not None:
        return kind.shape.check(obj, old)
    if _sound(root(kind), obj):
        return []
    errors = sorted(
        _validator(structure.path_of(kind)).iter_errors(obj), key=lambda error: len(error.absolute_path)
    )
    found = (cause for error in errors for cause in _explain(error))
    return list({(cause["field"], cause["message"]): cause for cause in found}.values())


def _sound(node: Node, value: Any) -> bool:
    schema = node.schema
    if node.is_open:
        return not node.type or isinstance(value, dict)
    if isinstance(value, dict):
        if node.type != "object" or any(name not in value for name in schema.get("required", ())):
            return False
        return all(_sound(below, inner) for key, inner in value.items() if (below := node.child(key)))
    if isinstance(value, list):
        items = node.items
        if items is None or len(value) < schema.get("minItems", 0):
            return False
        return all(_sound(items, item) for item in value)
    return _sound_scalar(schema, value)


def _sound_scalar(schema: Any, value: Any) -> bool:
    if not _has_type(schema.get("type", ()), value):
        return False
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return False
    elif value < schema.get("minimum", value) or value > schema.get("maximum", value):
        return False
    return "enum" not in schema or value in schema["enum"]


def _has_type(types: str | Sequence[str], value: Any) -> bool:
    wanted = (types,) if isinstance(types, str) else types
    if isinstance(value, bool):
        return "boolean" in wanted
    return any(isinstance(value, _JSON_TYPES[each]) for each in wanted)


@functools.cache
def _validator(path: str) -> jsonschema.protocols.Validator:
    import jsonschema  # slow to import, and the client's side never needs it
    import referencing
    import referencing.jsonschema

    def retrieve(uri: str) -> referencing.Resource[Any]:
        return referencing.jsonschema.DRAFT202012.create_resource(structure.document(uri))

    # The signature that referencing declares for ``retrieve`` is a protocol with a keyword name of its own.
    registry: referencing.Registry[Any] = referencing.Registry(retrieve=retrieve)  # type: ignore[call-arg]
    return jsonschema.Draft202012Validator(structure.document(path), registry=registry)


def _explain(error: jsonschema.ValidationError) -> Iterator[Cause]:
    """Yield the causes that say in Kubernetes' words what jsonschema found."""
    path, value = field_path(error.absolute_path), cast(Any, error.instance)
    schema: dict[str, Any] = dict(error.schema) if isinstance(error.schema, Mapping) else {}
    rule: Any = error.validator_value
    match error.validator:
        case "required":
            for name in (each for each in rule if each not in value):
                detail = schema.get("properties", {}).get(name, {}).get("x-required", "")
                yield causes.required(causes.child(path, name), detail)
        case "minItems" | "minLength":
            yield causes.required(path)
        case "enum":
            yield causes.unsupported(path, value, rule)
        case "minimum" | "maximum":
            yield causes.invalid(path, value, _range(schema))
        case _:
            yield causes.wrong_type(path, value, rule if isinstance(rule, str) else " or ".join(rule))


def _range(schema: dict[str, Any]) -> str:
    if "x-message" in schema:
        return str(schema["x-message"])
    if "maximum" in schema:
        return f"must be between {schema['minimum']} and {schema['maximum']}, inclusive"
    return f"must be greater than or equal to {schema['minimum']}"


def field_path(steps: Sequence[str | int]) -> str:
    """Return ``spec.containers[0].name`` for its steps."""
    path = ""
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else causes.child(path, step)
    return path


# --- lists ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListMeta:
    """How a list is merged: by ``keys`` in apply, by the rest in a strategic patch."""

    type: str
    keys: tuple[str, ...]
    merge_key: str
    strategies: frozenset[str]


def node_meta(node: Node) -> ListMeta:
    """Return how the list of that node is merged."""
    schema = node.schema
    strategies = filter(None, schema.get("x-kubernetes-patch-strategy", "").split(","))
    return ListMeta(
        schema.get("x-kubernetes-list-type", "atomic"),
        tuple(schema.get("x-kubernetes-list-map-keys", ())),
        schema.get("x-kubernetes-patch-merge-key", ""),
        frozenset(strategies),
    )
