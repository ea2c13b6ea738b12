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
    """Return the value of a YAML document; ``yaml.YAMLError`` when it is none, or grows without bound by its aliases."""
    found = yaml.load(text, Loader=_Loader)
    if "*" in text and "&" in text:
        _Unfolded(text).check(found)
    return _plain(found)


class _Unfolded:
    """Counts what a document becomes once each alias is written out, and how much of it is by aliases."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._values = self._by_alias = 0
        self._open: set[int] = set()
        self._seen: set[int] = set()

    def check(self, value: Any, *, aliased: bool = False) -> None:
        """Raise ``yaml.YAMLError`` for what contains itself, and for a small text that says very much."""
        if not isinstance(value, dict | list):
            self._count(1, aliased)
            return
        if id(value) in self._open:
            raise _refused(f"anchor '{self._own_part()}' value contains itself")
        if id(value) in self._seen:
            self._count(1, aliased)
            aliased = True
        self._count(1 + (len(value) if isinstance(value, dict) else 0), aliased)
        if self._by_alias > 100 and self._values > 1000 and self._by_alias / self._values > self._allowed():
            raise _refused("document contains excessive aliasing")
        self._seen.add(id(value))
        self._open.add(id(value))
        for inner in value.values() if isinstance(value, dict) else value:
            self.check(inner, aliased=aliased)
        self._open.remove(id(value))

    def _count(self, number: int, aliased: bool) -> None:
        self._values += number
        self._by_alias += number if aliased else 0

    def _allowed(self) -> float:
        """Return what part may come from aliases: nearly all of a small document, a tenth of a very large one."""
        return 0.99 - 0.89 * min(max((self._values - 400_000) / 3_600_000, 0.0), 1.0)

    def _own_part(self) -> str:
        """Return the name of the first anchor that is referred to within its own value."""
        around: list[str] = []
        for event in yaml.parse(self._text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                around.append(event.anchor or "")
            elif isinstance(event, yaml.CollectionEndEvent):
                around.pop()
            elif isinstance(event, yaml.AliasEvent) and event.anchor in around:
                return str(event.anchor)
        return ""


def _refused(words: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=words)


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
