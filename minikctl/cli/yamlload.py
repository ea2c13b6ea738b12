"""Reading YAML as Kubernetes' tools read it: y and no are booleans, 1:20 and 2020-01-01 are text."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "tag:yaml.org,2002:"

_TRUE = frozenset(form for word in ("y", "yes", "on", "true") for form in (word, word.title(), word.upper()))
_FALSE = frozenset(
    form for word in ("n", "no", "off", "false") for form in (word, word.title(), word.upper())
)
_BOOL = re.compile(f"({'|'.join(sorted(_TRUE | _FALSE))})" + r"\Z")
_INT = re.compile(r"[-+]?(0[bB][01_]+|0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]*|[1-9][0-9_]*)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9_]+)?\Z")
_NULL = re.compile(r"(~|null|Null|NULL|)\Z")
_MERGE = re.compile(r"<<\Z")


class _Loader(_BASE):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - a setting of the base class


def load(text: str) -> Any:
    """Return the value of a YAML document; ``yaml.YAMLError`` when it is none."""
    return _plain(yaml.load(text, Loader=_Loader))


def problem(error: yaml.YAMLError) -> str:
    """Return what is wrong, and where, in the words of Kubernetes' tools."""
    mark, said = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    line = f"line {max(mark.line, 1)}: " if mark is not None else ""
    return f"yaml: {line}{said}"


def _resolver(name: str, pattern: re.Pattern[str], first: str) -> None:
    _Loader.add_implicit_resolver(_PREFIX + name, pattern, list(first) + ([""] if name == "null" else []))


_resolver("bool", _BOOL, "yYnNtTfFoO")
_resolver("int", _INT, "-+0123456789")
_resolver("float", _FLOAT, "-+0123456789.")
_resolver("null", _NULL, "~nN")
_resolver("merge", _MERGE, "<")


def _bool(loader: Any, node: Any) -> bool:
    return loader.construct_scalar(node) in _TRUE


def _int(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign, body = (-1 if text[0] == "-" else 1), text.lstrip("+-")
    if body[:2] in ("0b", "0B", "0x", "0X", "0o", "0O"):
        return sign * int(body, 0)
    return sign * (int(body, 8) if body.startswith("0") and body != "0" else int(body))


def _float(loader: Any, node: Any) -> float | int:
    found = float(loader.construct_scalar(node).replace("_", ""))
    return int(found) if found.is_integer() and abs(found) < 1e21 else found


_Loader.add_constructor(_PREFIX + "bool", _bool)
_Loader.add_constructor(_PREFIX + "int", _int)
_Loader.add_constructor(_PREFIX + "float", _float)


def _plain(value: Any) -> Any:
    """Return the value with every key as the text that JSON would have."""
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
