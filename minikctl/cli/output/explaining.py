"""What a kind's OpenAPI v3 document says of it or of one of its fields, as kubectl explains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

Schema = dict[str, Any]

SHORT_ENUM = 4


class NoSuchField(Exception):
    """The path leads to no field; the text is the last of its names."""


class Explainer:
    """Explains one document's schemas."""

    def __init__(self, document: Schema, *, recursive: bool = False, depth: int = 0) -> None:
        """``depth``: how many levels of fields are shown with ``recursive``; 0: all."""
        self._schemas: dict[str, Schema] = (document.get("components") or {}).get("schemas") or {}
        self._recursive = recursive
        self._depth = depth

    def root(self, group: str, version: str, kind: str) -> Schema | None:
        """Return the schema of a kind, None if the document has none."""
        wanted = {"group": group, "version": version, "kind": kind}
        for name in sorted(self._schemas):
            if wanted in (self._schemas[name].get("x-kubernetes-group-version-kind") or ()):
                return self._schemas[name]
        return None

    def text(self, schema: Schema, path: Sequence[str]) -> str:
        """Return the explanation of the field at the path below the schema; ``NoSuchField`` if there is none."""
        found = self._output(schema, tuple(path), frozenset())
        if not found:
            raise NoSuchField(path[-1] if path else "")
        return found

    def names(self, schema: Schema, path: Sequence[str]) -> list[str]:
        """Return the names of the fields below the path, in order; [] if there are none."""
        found = self._inside(schema)
        for name in path:
            found = self._inside((found.get("properties") or {}).get(name) or {})
        return sorted(found.get("properties") or ())

    def _inside(self, schema: Schema) -> Schema:
        """Return the schema of what has fields: of a list its items', of a map its values'."""
        resolved = self._resolved(schema)
        for inner in (
            resolved.get("items"),
            resolved.get("additionalProperties"),
            *(resolved.get("allOf") or ()),
        ):
            if isinstance(inner, dict):
                return self._inside(inner)
        return resolved

    def _resolved(self, schema: Schema) -> Schema:
        reference = str(schema.get("$ref") or "")
        return self._schemas.get(reference.rpartition("/")[2], schema) if reference else schema

    def _output(self, schema: Schema, path: tuple[str, ...], seen: frozenset[str]) -> str:
        reference = str(schema.get("$ref") or "")
        resolved = self._resolved(schema)
        if not path:
            return self._whole(resolved)
        if reference and reference in seen:
            return ""
        seen |= {reference} - {""}
        fields = resolved.get("properties") or {}
        if path[0] in fields:
            head = self._field_head(path[0], fields[path[0]]) if len(path) == 1 else ""
            return head + self._output(fields[path[0]], path[1:], frozenset())
        for inner in (resolved.get("items"), resolved.get("additionalProperties")):
            if isinstance(inner, dict):
                return self._output(inner, path, seen)
        for inner in resolved.get("allOf") or ():
            if found := self._output(inner, path, seen):
                return found
        return ""

    def _whole(self, schema: Schema) -> str:
        words = "\n".join(self._descriptions(schema)) + "\n"
        text = "DESCRIPTION:\n" + indent(wrap(words if words.strip() else "<empty>", 76), 4) + "\n"
        fields = "".join(self._fields(schema, 1, frozenset()))
        return text + (f"FIELDS:\n{fields}" if fields else "")

    def _field_head(self, name: str, schema: Schema) -> str:
        enum = schema.get("enum") or ()
        listed = "ENUM:" + "".join(f"\n    {_shown(value)}" for value in enum) if enum else ""
        return f"FIELD: {name} <{self._type(schema)}>\n{listed}\n\n"

    def _descriptions(self, schema: Schema) -> Iterator[str]:
        resolved = self._resolved(schema)
        if resolved.get("description"):
            yield resolved["description"]
        for inner in (
            *(resolved.get("allOf") or ()),
            resolved.get("items"),
            resolved.get("additionalProperties"),
        ):
            if isinstance(inner, dict):
                yield from self._descriptions(inner)

    def _fields(self, schema: Schema, level: int, seen: frozenset[str]) -> Iterator[str]:
        reference = str(schema.get("$ref") or "")
        if reference and reference in seen:
            return
        seen |= {reference} - {""}
        resolved = self._resolved(schema)
        fields = resolved.get("properties") or {}
        for name in sorted(fields):
            yield self._field(name, fields[name], name in (resolved.get("required") or ()), level)
            if self._recursive and level != self._depth:
                yield from self._fields(fields[name], level + 1, seen)
        for inner in (
            *(resolved.get("allOf") or ()),
            resolved.get("items"),
            resolved.get("additionalProperties"),
        ):
            if isinstance(inner, dict):
                yield from self._fields(inner, level, seen)

    def _field(self, name: str, schema: Schema, is_required: bool, level: int) -> str:
        space = " " * (level * 2)
        line = f"{space}{name}\t<{self._type(schema)}>{' -required-' if is_required else ''}"
        enum = schema.get("enum") or ()
        if enum:
            more = ", ...." if len(enum) > SHORT_ENUM else ""
            line += f"\n{space}enum: " + ", ".join(_shown(value) for value in enum[:SHORT_ENUM]) + more
        if self._recursive:
            return f"{line}\n"
        words = wrap(schema.get("description") or "<no description>", 78 - len(space))
        return f"{line}\n{indent(words, len(space) + 2)}\n\n"

    def _type(self, schema: Schema) -> str:
        if schema.get("items"):
            return "[]" + self._type(schema["items"])
        if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
            return "map[string]" + self._type(schema["additionalProperties"])
        parts = list(schema.get("allOf") or ())
        if len(parts) == 1 and not schema.get("properties"):
            return self._type(parts[0])
        if "$ref" in schema:
            name = str(schema["$ref"]).rpartition("/")[2]
            kind = self._schemas.get(name, {}).get("type") or "object"
            return name.rpartition(".")[2] if kind == "object" else str(kind)
        kind = schema.get("type") or "Object"
        return "Object" if kind == "object" else str(kind)


def _shown(value: Any) -> str:
    return '""' if value == "" else str(value)


def indent(text: str, amount: int) -> str:
    """Return the text with every line moved to the right."""
    space = " " * amount
    return space + text.replace("\n", f"\n{space}")


def wrap(text: str, width: int) -> str:
    """Return the text with lines of at most ``width`` characters; the spaces at which one is broken go."""
    return "\n".join(_wrapped(line, width) for line in text.split("\n"))


def _wrapped(text: str, width: int) -> str:
    lines: list[str] = []
    line = ""
    for gap, word in re.findall(r"(\s*)(\S*)", text):
        if not word:
            line += gap
        elif line.strip() and len(line) + len(gap) + len(word) > width:
            lines.append(line)
            line = word
        else:
            line += gap + word
    return "\n".join([*lines, line])
