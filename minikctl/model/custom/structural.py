"""A structural schema as a tree: what it says of each place in an object."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TYPE_META = ("apiVersion", "kind", "metadata")
"""What every resource has, also one that is embedded, whatever its schema says."""


@dataclass(frozen=True, eq=False)
class Structural:
    """One place in an object."""

    schema: Mapping[str, Any]
    is_root: bool = False

    @functools.cached_property
    def properties(self) -> dict[str, Structural]:
        """The named fields."""
        return {name: Structural(each) for name, each in (self.schema.get("properties") or {}).items()}

    @functools.cached_property
    def items(self) -> Structural | None:
        """What a list holds."""
        found = self.schema.get("items")
        return Structural(found) if isinstance(found, dict) else None

    @functools.cached_property
    def values(self) -> Structural | None:
        """What a map holds, where the schema says so."""
        found = self.schema.get("additionalProperties")
        return Structural(found) if isinstance(found, dict) else None

    @functools.cached_property
    def keeps_unknown(self) -> bool:
        """Whether fields that no property names stay as they are."""
        loose = self.schema.get("x-kubernetes-preserve-unknown-fields") is True
        return loose or self.schema.get("additionalProperties") is True

    @functools.cached_property
    def is_resource(self) -> bool:
        """Whether this is an object with apiVersion, kind and metadata."""
        return self.is_root or self.schema.get("x-kubernetes-embedded-resource") is True

    @functools.cached_property
    def is_nullable(self) -> bool:
        """Whether null is a value here, instead of meaning: absent."""
        return self.schema.get("nullable") is True

    @functools.cached_property
    def type(self) -> str:
        """The JSON type, "" for int-or-string and for anything."""
        return str(self.schema.get("type") or "")

    @functools.cached_property
    def list_type(self) -> str:
        """``atomic``, ``set`` or ``map``."""
        return str(self.schema.get("x-kubernetes-list-type") or "atomic")

    @functools.cached_property
    def map_keys(self) -> tuple[str, ...]:
        """The fields that tell the items of a list of type map apart."""
        return tuple(self.schema.get("x-kubernetes-list-map-keys") or ())

    @functools.cached_property
    def is_int_or_string(self) -> bool:
        """Whether both a number and a text fit."""
        return self.schema.get("x-kubernetes-int-or-string") is True

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """The defaults of the named fields; null is none."""
        return {
            name: each.schema["default"]
            for name, each in self.properties.items()
            if each.schema.get("default") is not None
        }

    @functools.cached_property
    def alternatives(self) -> dict[str, list[Structural]]:
        """The schemas of allOf, anyOf, oneOf and not, as far as there are any."""
        found = {name: self.schema[name] for name in ("allOf", "anyOf", "oneOf") if self.schema.get(name)}
        if self.schema.get("not") is not None:
            found["not"] = [self.schema["not"]]
        return {name: [Structural(each) for each in listed] for name, listed in found.items()}

    @functools.cached_property
    def has_defaults(self) -> bool:
        """Whether something below has a default: a field, an item, a map's value."""
        below = [*self.properties.values(), *filter(None, (self.items, self.values))]
        return any(each.schema.get("default") is not None or each.has_defaults for each in below)

    @functools.cached_property
    def has_rules(self) -> bool:
        """Whether there are CEL rules here or anywhere below."""
        if self.schema.get("x-kubernetes-validations"):
            return True
        below = [*self.properties.values(), *filter(None, (self.items, self.values))]
        return any(each.has_rules for each in below)

    def child(self, name: str) -> Structural | None:
        """Return the place of a field or of a map's value, None where the schema says nothing."""
        return self.properties.get(name) or self.values


def correlated(node: Structural, new: list[Any], old: Any) -> list[Any]:
    """Return for each item of a list its former self, None where it cannot be told or was not there."""
    if node.list_type != "map" or not isinstance(old, list):
        return [None] * len(new)

    def key(item: Any) -> Any:
        return tuple(repr(item.get(name)) for name in node.map_keys) if isinstance(item, dict) else None

    before = {key(item): item for item in old}
    return [before.get(key(item)) if isinstance(item, dict) else None for item in new]
