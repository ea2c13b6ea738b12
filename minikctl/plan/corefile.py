"""CoreDNS' Corefile as a tree: server blocks for zones, with directives that may have blocks of their own."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

IMPORT = "import"


class Malformed(ValueError):
    """The text is no Corefile; the words say where."""


@dataclass(frozen=True)
class Directive:
    """A plugin or an option of one: its name, its arguments and what stands in its braces."""

    name: str
    arguments: tuple[str, ...] = ()
    body: tuple[Directive, ...] = ()


@dataclass(frozen=True)
class Block:
    """A server block: the zones that it is for, and its plugins."""

    zones: tuple[str, ...]
    directives: tuple[Directive, ...]


def parse(text: str) -> tuple[Block, ...]:
    """Return the server blocks; raises ``Malformed``."""
    found = _directives(_lines(text), top=True)
    snippets = {one.name[1:-1]: one.body for one in found if _is_snippet(one)}
    return tuple(
        Block(_zones((one.name, *one.arguments)), _expanded(one.body, snippets))
        for one in found
        # Files are imported beside blocks, too: what those are here is read from the other map.
        if not _is_snippet(one) and one.name != IMPORT
    )


def parse_directives(text: str) -> tuple[Directive, ...]:
    """Return plugins that stand outside any block, as in a file that a server block imports."""
    return tuple(_directives(_lines(text), top=True))


def _is_snippet(found: Directive) -> bool:
    return found.name.startswith("(") and found.name.endswith(")")


def _expanded(
    found: Iterable[Directive], snippets: Mapping[str, tuple[Directive, ...]]
) -> tuple[Directive, ...]:
    """Return the directives with what they import by name in its place."""
    every: list[Directive] = []
    for one in found:
        name = one.arguments[0] if one.name == IMPORT and one.arguments else ""
        if name in snippets:
            others = {other: body for other, body in snippets.items() if other != name}
            every += _expanded(snippets[name], others)
        else:
            every.append(replace(one, body=_expanded(one.body, snippets)))
    return tuple(every)


def _zones(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(zone for word in words for zone in word.split(",") if zone)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of each line with its number; braces are words of their own."""
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise Malformed(f"line {number}: {error}") from None
        if words:
            yield number, words


def _directives(lines: Iterator[tuple[int, list[str]]], *, top: bool) -> list[Directive]:
    found: list[Directive] = []
    for number, words in lines:
        if words == ["}"]:
            if top:
                raise Malformed(f"line {number}: a brace closes what none has opened")
            return found
        opens = words[-1] == "{"
        own = words[:-1] if opens else words
        if not own or "{" in own or "}" in own:
            raise Malformed(f"line {number}: {' '.join(words)}")
        body = tuple(_directives(lines, top=False)) if opens else ()
        found.append(Directive(own[0], tuple(own[1:]), body))
    if not top:
        raise Malformed("the text ends within a block")
    return found
