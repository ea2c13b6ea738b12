"""kubectl's JSONPath templates: text with ``{…}`` expressions, ranges and filters.

The dialect is kubectl's: https://kubernetes.io/docs/reference/kubectl/jsonpath/.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from minikctl import errors
from minikctl.client.record import Record

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FILTER = re.compile(r"^(?P<left>[^!<>=]+)(?P<op>[!<>=]+)(?P<right>.+)$", re.S)


class BadTemplate(errors.UsageError):
    """The template cannot be parsed, or asks for what is not there."""


class _Text(Record):
    text: str


class _Path(Record):
    steps: tuple[tuple[str, Any], ...]
    rooted: bool = False


class _Range(Record):
    path: _Path
    body: tuple[Any, ...]


def relaxed(expression: str) -> str:
    """Return ``x``, ``.x`` and ``{.x}`` alike as ``{.x}``, as --sort-by and custom-columns take them."""
    inner = expression.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1]
    if not inner.startswith((".", "[", "$", "@")):
        inner = "." + inner
    return "{" + inner + "}"


def render(template: str, data: Any, *, strict: bool = False) -> str:
    """Return the template's text for that data; missing fields give nothing or, ``strict``, are a failure."""
    nodes = _parsed(template)
    try:
        return "".join(_render(nodes, data, data, strict))
    except IndexError as error:
        raise BadTemplate(
            f'error: error executing jsonpath "{template}": Error executing template: {error}'
        ) from None


def find(expression: str, data: Any) -> list[Any]:
    """Return every value that one expression selects."""
    nodes = _parsed(relaxed(expression))
    return [value for node in nodes if isinstance(node, _Path) for value in _walk(node, data, data)]


def text(value: Any) -> str:
    """Return a selected value as kubectl prints it: strings bare, the rest as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def _parsed(template: str) -> tuple[Any, ...]:
    try:
        return _parse(template)
    except ValueError as error:
        raise BadTemplate(f"error: error parsing jsonpath {template}, {error}") from None


def _render(nodes: tuple[Any, ...], data: Any, root: Any, strict: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, _Text):
            yield node.text
        elif isinstance(node, _Range):
            for item in _walk(node.path, data, root, strict):
                yield from _render(node.body, item, root, strict)
        else:
            yield " ".join(text(value) for value in _walk(node, data, root, strict))


def _parse(template: str) -> tuple[Any, ...]:
    nodes: list[Any] = []
    stack: list[tuple[_Path, list[Any]]] = []
    place = 0
    while place < len(template):
        if template[place] != "{":
            end = template.find("{", place)
            end = len(template) if end < 0 else end
            nodes.append(_Text(template[place:end]))
            place = end
            continue
        inner, place = _braced(template, place)
        if inner == "end":
            if not stack:
                raise ValueError("not in range, nothing to end")
            path, outer = stack.pop()
            outer.append(_Range(path, tuple(nodes)))
            nodes = outer
        elif inner.startswith("range "):
            stack.append((_path(inner[6:].strip()), nodes))
            nodes = []
        elif inner[:1] in ("'", '"'):
            nodes.append(_Text(_unquote(inner)))
        else:
            nodes.append(_path(inner))
    if stack:
        raise ValueError("unexpected EOF, expected {{end}}")
    return tuple(nodes)


def _braced(template: str, place: int) -> tuple[str, int]:
    """Return what stands in the braces that open at ``place``, and the place after them."""
    quote = ""
    for number in range(place + 1, len(template)):
        char = template[number]
        if quote:
            if char == quote and template[number - 1] != "\\":
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "}":
            return template[place + 1 : number].strip(), number + 1
    raise ValueError("unclosed action")


def _unquote(quoted: str) -> str:
    body = quoted[1:-1]
    return body.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r").replace('\\"', '"')


def _path(expression: str) -> _Path:
    rest = expression
    rooted = rest.startswith("$")
    rest = rest.lstrip("$@") if rest[:1] in "$@" else rest
    steps: list[tuple[str, Any]] = []
    while rest := rest.lstrip(" "):
        if rest.startswith(".."):
            steps.append(("deep", None))
            rest = rest[1:] if rest[2:3] != "[" else rest[2:]
        elif rest.startswith("["):
            inner, rest = _bracketed(rest)
            steps.append(_bracket(inner))
        elif rest.startswith("."):
            match = re.match(r"\.((?:\\.|[^.\[\s])*)", rest)
            assert match is not None
            name = re.sub(r"\\(.)", r"\1", match[1])
            if name:
                steps.append(("all", None) if name == "*" else ("field", name))
            rest = rest[match.end() :]
        else:
            raise _unrecognized(rest)
    return _Path(tuple(steps), rooted)


def _unrecognized(rest: str) -> ValueError:
    return ValueError(f"unrecognized character in action: U+{ord(rest[0]):04X} {rest[0]!r}")


def _bracketed(rest: str) -> tuple[str, str]:
    depth, quote = 0, ""
    for number, char in enumerate(rest):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return rest[1:number].strip(), rest[number + 1 :]
    raise ValueError("unterminated array")


def _bracket(inner: str) -> tuple[str, Any]:
    if inner.startswith("?(") and inner.endswith(")"):
        return "filter", _filter(inner[2:-1].strip())
    if inner == "*":
        return "all", None
    if re.fullmatch(r"'[^']*'(,'[^']*')*", inner):
        return "fields", tuple(part[1:-1].replace("\\.", ".") for part in inner.split(","))
    if re.fullmatch(r"-?\d*:-?\d*(:\d+)?", inner):
        return "slice", slice(*(int(part) if part else None for part in inner.split(":")))
    if re.fullmatch(r"-?\d+(,-?\d+)*", inner):
        return "index", tuple(int(part) for part in inner.split(","))
    raise ValueError(f"invalid array index {inner}")


def _filter(condition: str) -> Callable[[Any, Any], bool]:
    match = _FILTER.match(condition)
    if match is None:
        path = _path(condition)
        return lambda item, root: bool(list(_walk(path, item, root)))
    if match["op"] not in _COMPARE and match["op"] != "=":
        raise ValueError(f"unrecognized filter operator {match['op']}")
    left, right = _operand(match["left"]), _operand(match["right"])
    if match["op"] == "=":
        raise ValueError("unrecognized filter operator =")
    compare = _COMPARE[match["op"]]

    def matches(item: Any, root: Any) -> bool:
        found, wanted = left(item, root), right(item, root)
        try:
            return bool(found) and bool(wanted) and compare(found[0], wanted[0])
        except TypeError:
            return False

    return matches


def _operand(source: str) -> Callable[[Any, Any], list[Any]]:
    source = source.strip()
    if source[:1] in ("'", '"'):
        end = source.find(source[0], 1)
        if end < 0:
            raise ValueError("unterminated quoted string")
        if rest := source[end + 1 :].strip():
            raise _unrecognized(rest)
        literal: Any = source[1:end]
    elif source[:1] in "@$":
        path = _path(source)
        return lambda item, root: list(_walk(path, item, root))
    elif not re.match(r"[\w+.-]", source):
        raise _unrecognized(source)
    else:
        try:
            literal = json.loads(source)
        except ValueError:
            raise ValueError(f"unrecognized identifier {source}") from None
    return lambda item, root: [literal]


def _walk(path: _Path, data: Any, root: Any, strict: bool = False) -> Iterator[Any]:
    found = [root if path.rooted else data]
    for kind, argument in path.steps:
        reached: list[Any] = []
        for item in found:
            values = list(_step(kind, argument, item, root))
            if strict and not values and kind == "field":
                raise IndexError(f"{argument} is not found")
            reached += values
        found = reached
    yield from found


def _step(kind: str, argument: Any, item: Any, root: Any) -> Iterator[Any]:
    if kind == "field":
        if isinstance(item, dict) and argument in item:
            yield item[argument]
    elif kind == "fields":
        if isinstance(item, dict):
            yield from (item[name] for name in argument if name in item)
    elif kind == "all":
        yield from item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    elif kind == "deep":
        yield from _deep(item)
    elif isinstance(item, list):
        if kind == "index":
            for number in argument:
                if not -len(item) <= number < len(item):
                    raise IndexError(f"array index out of bounds: index {number}, length {len(item)}")
                yield item[number]
        elif kind == "slice":
            yield from item[argument]
        elif kind == "filter":
            yield from (entry for entry in item if argument(entry, root))


def _deep(item: Any) -> Iterator[Any]:
    yield item
    children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    for child in children:
        if isinstance(child, dict | list):
            yield from _deep(child)
