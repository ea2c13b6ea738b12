"""What a kind's OpenAPI v2 document says of it, in the form that kubectl had before v3 (``plaintext-openapiv2``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.cli.output.explaining import NoSuchField

Schema = dict[str, Any]

WIDTH = 80
FIELD_INDENT = 3
TEXT_INDENT = 5
_BULLET = re.compile(r"(\d+\.?|-|\*)\s")


class Explainer:
    """Explains one document's schemas."""

    def __init__(self, document: Schema, *, recursive: bool = False) -> None:
        self._schemas: dict[str, Schema] = document.get("definitions") or {}
        self._recursive = recursive

    def root(self, group: str, version: str, kind: str) -> Schema | None:
        """Return the schema of a kind, None if the document has none."""
        wanted = {"group": group, "version": version, "kind": kind}
        known = self._schemas.values()
        return next((one for one in known if wanted in one.get("x-kubernetes-group-version-kind", ())), None)

    def text(self, schema: Schema, path: Sequence[str], head: str) -> str:
        """Return the explanation of the field at the path below the schema, with ``head`` after the kind's name.

        ``NoSuchField`` if there is none.
        """
        name, field = "", schema
        for name in path:
            inside = self._inside(field).get("properties") or {}
            if name not in inside:
                raise NoSuchField(name)
            field = inside[name]
        found, described = self._inside(field), enumerate(self._descriptions(field))
        fields = found.get("properties")
        title = ""
        if name:
            title = f"{'RESOURCE:' if fields else 'FIELD:   '} {name} <{self._type(field)}>\n\n"
        text = f"{head}{title}DESCRIPTION:\n"
        # One that has no words of its own leaves the line between its words and its type's, as in kubectl.
        words = [("\n" if number else "") + _block(each, TEXT_INDENT) for number, each in described if each]
        text += "".join(words) or _block("<empty>", TEXT_INDENT)
        if fields:
            text += "\nFIELDS:\n" + "".join(self._fields(found, FIELD_INDENT))
        return text

    def _resolved(self, schema: Schema) -> Schema:
        reference = str(schema.get("$ref") or "")
        return self._schemas.get(reference.rpartition("/")[2], schema) if reference else schema

    def _inner(self, schema: Schema) -> Schema | None:
        """Return the schema of a list's items or a map's values, None for what is neither."""
        items, values = schema.get("items"), schema.get("additionalProperties")
        return items or (values if isinstance(values, dict) else None)

    def _inside(self, schema: Schema) -> Schema:
        resolved = self._resolved(schema)
        inner = self._inner(resolved)
        return self._inside(inner) if inner else resolved

    def _descriptions(self, schema: Schema) -> Iterator[str]:
        yield schema.get("description") or ""
        resolved = self._resolved(schema)
        if resolved is not schema:
            yield from self._descriptions(resolved)
        elif inner := self._inner(schema):
            yield from self._descriptions(inner)

    def _fields(self, schema: Schema, indent: int, seen: frozenset[int] = frozenset()) -> Iterator[str]:
        space = " " * indent
        properties = schema.get("properties") or {}
        for name in sorted(properties):
            field = properties[name]
            required = " -required-" if name in (schema.get("required") or ()) else ""
            if not self._recursive:
                words = _block(field.get("description") or "", indent + 2)
                yield f"{space}{name}\t<{self._type(field)}>{required}\n{words}\n"
                continue
            yield f"{space}{name}\t<{self._type(field)}>\n"
            inside = self._inside(field)
            if id(inside) not in seen:
                yield from self._fields(inside, indent + FIELD_INDENT, seen | {id(inside)})

    def _type(self, schema: Schema) -> str:
        resolved = self._resolved(schema)
        if resolved.get("items"):
            return f"[]{self._type(resolved['items'])}"
        if isinstance(resolved.get("additionalProperties"), dict):
            return f"map[string]{self._type(resolved['additionalProperties'])}"
        kind = str(resolved.get("type") or "")
        if kind == "object" and not resolved.get("properties"):
            return "map[string]"
        return "Object" if kind in ("", "object") else kind


def _block(text: str, indent: int) -> str:
    return "".join(f"{' ' * indent}{line}\n" if line else "\n" for line in _lines(text, WIDTH - indent))


def _lines(text: str, width: int) -> list[str]:
    """Return the text in lines: code, lists and what follows a colon begin a line, other breaks go."""
    found: list[str] = []
    words: list[str] = []

    def flush() -> None:
        if words:
            found.append(" ".join(words))
            words.clear()

    for line in text.split("\n"):
        if line.startswith("    "):
            flush()
            found.append(line)
            continue
        if found and not line.strip():
            flush()
            found.append("")
            continue
        if (words and words[-1].endswith(":")) or not line.strip() or _BULLET.match(line.strip()):
            flush()
        for word in line.split():
            if words and len(" ".join([*words, word])) > width:
                flush()
            words.append(word)
    flush()
    return found
