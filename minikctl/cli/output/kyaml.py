"""KYAML: YAML that is unambiguous, as ``-o kyaml`` prints it (KEP-5295).

Braces, brackets and quotes throughout; a trailing comma after each entry; text of several lines stays so.
"""

from __future__ import annotations

import re
from typing import Any

from minikctl.cli.output import yamltext

_BARE = re.compile(r"[^\W]([-./\w]*[^\W])?")
_WORDS = frozenset(("t", "f", "y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"))
_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\r": "\\r", "\0": "\\0", "\a": "\\a", "\b": "\\b", "\v": "\\v", "\f": "\\f",
    "\x1b": "\\e", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P", "\ufeff": "\\uFEFF",
}  # fmt: skip
_STEP = "  "


def to_kyaml(value: Any, *, sort: bool = True) -> str:
    """Return the value as a KYAML document; keys in the order of the alphabet, or as they are."""
    return f"---\n{_value(_sorted(value) if sort else value, '')}\n"


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _value(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        return _map(value, indent)
    if isinstance(value, list):
        return _list(value, indent)
    if isinstance(value, str):
        return _text(value, indent)
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _map(value: dict[str, Any], indent: str) -> str:
    if not value:
        return "{}"
    inner = indent + _STEP
    entries = [f"{inner}{_key(key)}: {_value(value[key], inner)},\n" for key in value]
    return "{\n" + "".join(entries) + indent + "}"


def _list(value: list[Any], indent: str) -> str:
    if not value:
        return "[]"
    if all(isinstance(item, dict | list) for item in value):  # their brackets share lines with ours
        return "[" + ", ".join(_value(item, indent) for item in value) + "]"
    inner = indent + _STEP
    return "[\n" + "".join(f"{inner}{_value(item, inner)},\n" for item in value) + indent + "]"


def _key(key: str) -> str:
    is_bare = _BARE.fullmatch(key) and key.lower() not in _WORDS and not yamltext.is_ambiguous(key)
    return key if is_bare else f'"{_escaped(key)}"'.replace("\n", "\\n")


def _text(value: str, indent: str) -> str:
    if "\n" not in value:
        return f'"{_escaped(value)}"'
    found = '"\\\n'
    lines = value.split("\n")
    for number, line in enumerate(lines):
        if number == len(lines) - 1 and not line:
            break
        # A line's own space at its beginning would be taken for indentation.
        lead = "\\" if line[:1] in (" ", "\t") else " "
        ended = "\\n" if number < len(lines) - 1 else ""
        found += f"{indent}{_STEP}{lead}{_escaped(line)}{ended}\\\n"
    return f'{found}{indent}{_STEP}"'


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(char) or _coded(char) for char in text)


def _coded(char: str) -> str:
    if char.isprintable() or char in "\t\n":
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
