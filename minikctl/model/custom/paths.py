"""The simple JSONPaths of a CustomResourceDefinition: printer columns, scale, selectable fields."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

_STEP = re.compile(
    r"\.\.(?P<deep>[\w$-]+)|\.(?P<name>(?:[^.\[\]\\]|\\.)+)|\[(?P<index>-?\d+)\]|\[\s*(?P<quote>['\"])(?P<key>.*?)(?P=quote)\s*\]"
    r"|\[(?P<all>\*)\]|\[\?\(\s*@\.(?P<field>[\w.\\-]+)\s*(?P<op>==|!=)\s*(?P<value>.*?)\s*\)\]"
)


class BadPath(ValueError):
    """The text is no path that is understood."""


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> tuple[dict[str, str], ...]:
    """Return the steps of a path such as ``.spec.list[0].name`` or ``.list[?(@.type=="Ready")].status``."""
    found: list[dict[str, str]] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise BadPath(text)
        found.append({name: value for name, value in step.groupdict().items() if value is not None})
        at = step.end()
    return tuple(found)


def find(value: Any, text: str) -> list[Any]:
    """Return what the path selects; nothing where a step finds nothing."""
    found = [value]
    for step in parse(text):
        found = [inner for each in found for inner in _inside(each, step)]
    return found


def fields(text: str) -> tuple[str, ...]:
    """Return the field names of a path that has nothing but fields; raises ``BadPath`` for others."""
    names = tuple(step.get("name", step.get("key", "")) for step in parse(text))
    if not all(names):
        raise BadPath(text)
    return tuple(re.sub(r"\\(.)", r"\1", name) for name in names)


def _inside(value: Any, step: dict[str, str]) -> Iterator[Any]:
    if "name" in step or "key" in step:
        name = step.get("key") or re.sub(r"\\(.)", r"\1", step.get("name", ""))
        if name == "*":
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        elif isinstance(value, dict) and name in value:
            yield value[name]
    elif "deep" in step:
        yield from _everywhere(value, step["deep"])
    elif isinstance(value, list):
        yield from _items(value, step)
    elif "all" in step and isinstance(value, dict):
        yield from value.values()


def _items(items: list[Any], step: dict[str, str]) -> Iterator[Any]:
    if "index" in step:
        index = int(step["index"])
        if -len(items) <= index < len(items):
            yield items[index]
    elif "all" in step:
        yield from items
    else:
        wanted = step["value"].strip("\"'")
        for item in items:
            said = [_plain(each) for each in find(item, f".{step['field']}")]
            if (wanted in said) == (step["op"] == "=="):
                yield item


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _everywhere(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for inner in value.values():
            yield from _everywhere(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _everywhere(inner, name)
