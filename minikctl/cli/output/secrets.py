"""Secrets as people read them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def decoded(obj: Object) -> Object:
    """Return a Secret with its texts as ``stringData``; what is no text stays in ``data``.  Others are as they were."""
    if obj.get("kind") != "Secret":
        return obj
    texts: dict[str, str] = {}
    rest: dict[str, str] = {}
    for key, value in (obj.get("data") or {}).items():
        try:
            texts[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            rest[key] = value
    found = {key: value for key, value in obj.items() if key not in ("data", "stringData")}
    if rest:
        found["data"] = rest
    if texts:
        found["stringData"] = texts
    return found


def listed(objects: Sequence[Object], many: bool) -> str:
    """Return the entries of Secrets, one a line; those of several under their names."""
    lines: list[str] = []
    for obj in objects:
        if many:
            lines.append(f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}:")
        indent = "  " if many else ""
        for key, value in sorted((obj.get("stringData") or {}).items()):
            lines += [
                f"{indent}{key}: {line}" if not number else f"{indent}  {line}"
                for number, line in enumerate(value.rstrip("\n").split("\n"))
            ]
        lines += [
            f"{indent}{key}: (binary) {value}" for key, value in sorted((obj.get("data") or {}).items())
        ]
    return "".join(f"{line}\n" for line in lines)
