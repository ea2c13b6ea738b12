"""nft rules in memory: transactions that are refused as a whole when their structure is wrong.

Known are tables, chains, maps, sets, their elements and rules, in commands and in blocks.  What rules match
is not looked at, but whatever they name has to exist.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_NAMED = re.compile(r"@(\w[\w./-]*)")
_TARGET = re.compile(r"\b(?:goto|jump)\s+(\w[\w./-]*)")
_OBJECTS = ("chain", "map", "set")
_NO_SUCH = "Error: Could not process rule: No such file or directory"
_EXISTS = "Error: Could not process rule: File exists"
_BUSY = "Error: Could not process rule: Device or resource busy"


class Refused(Exception):
    """The transaction is not applied; the text is what nft says."""


@dataclass
class Table:
    """A table: rules by chain, elements by map and set; ``bases`` tell where base chains hook in."""

    chains: dict[str, list[str]] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    sets: dict[str, dict[str, str]] = field(default_factory=dict)

    def holder(self, name: str) -> dict[str, str]:
        """Return the elements of a map or set."""
        for kind in (self.maps, self.sets):
            if name in kind:
                return kind[name]
        raise Refused(f"{_NO_SUCH}: {name}")

    def chain(self, name: str) -> list[str]:
        """Return the rules of a chain."""
        if name not in self.chains:
            raise Refused(f"{_NO_SUCH}: {name}")
        return self.chains[name]

    def check(self) -> None:
        """Refuse references to what is not there."""
        rules = [rule for rules in self.chains.values() for rule in rules]
        verdicts = [verdict for elements in self.maps.values() for verdict in elements.values()]
        for text in (*rules, *verdicts):
            for name in _TARGET.findall(text):
                self.chain(name)
            for name in _NAMED.findall(text):
                self.holder(name)


class Rules:
    """All tables of one network namespace, by "family name"."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def apply(self, text: str) -> None:
        """Apply a transaction, all of it or, with ``Refused``, nothing."""
        draft = copy.deepcopy(self.tables)
        for words in commands(text):
            _command(draft, words)
        for table in draft.values():
            table.check()
        self.tables = draft


def commands(text: str) -> Iterator[str]:
    """Yield the commands of a text; a ``table`` block becomes the commands that it stands for."""
    for command in _split("\n".join(line.partition("#")[0] for line in text.splitlines())):
        head, brace, body = command.partition("{")
        words = head.split()
        if brace and words[:1] == ["table"]:
            yield from _table_block(" ".join(words[1:]), body.rstrip()[:-1])
        else:
            yield " ".join(command.split())


def _split(text: str) -> Iterator[str]:
    """Yield the pieces between newlines and semicolons that stand outside all braces."""
    depth, start = 0, 0
    for at, character in enumerate(text + "\n"):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character in "\n;" and depth == 0:
            if piece := text[start:at].strip():
                yield piece
            start = at + 1
    if depth:
        raise Refused("Error: syntax error, unexpected end of file")


def _table_block(table: str, body: str) -> Iterator[str]:
    yield f"add table {table}"
    for item in _split(body):
        head, _, inner = item.partition("{")
        kind, name = head.split()
        lines = list(_split(inner.rstrip()[:-1]))
        if kind == "chain":
            base = [line for line in lines if line.startswith(("type ", "policy "))]
            yield f"add chain {table} {name}" + (f" {{ {'; '.join(base)}; }}" if base else "")
            for line in lines:
                if line not in base:
                    yield f"add rule {table} {name} {line}"
            continue
        elements = [line for line in lines if line.startswith("elements")]
        traits = "; ".join(line for line in lines if line not in elements)
        yield f"add {kind} {table} {name} {{ {traits}; }}"
        for line in elements:
            yield f"add element {table} {name} {line.partition('=')[2].strip()}"


def _command(tables: dict[str, Table], text: str) -> None:
    words = text.split()
    if words == ["flush", "ruleset"]:
        tables.clear()
        return
    verb = words.pop(0) if words[0] in ("add", "create", "delete", "destroy", "flush", "insert") else "add"
    if len(words) < 3:
        raise Refused(f"Error: syntax error: {text}")
    kind, key = words[0], " ".join(words[1:3])
    if kind == "table":
        _table(tables, verb, key)
        return
    if key not in tables:
        raise Refused(f"{_NO_SUCH}: table {key}")
    if len(words) < 4:
        raise Refused(f"Error: syntax error: {text}")
    table, name, rest = tables[key], words[3], " ".join(words[4:])
    if kind == "rule":
        _rule(table, verb, name, rest)
    elif kind == "element":
        _elements(table, verb, name, rest)
    elif kind in _OBJECTS:
        _object(table, kind, verb, name, rest)
    else:
        raise Refused(f"Error: syntax error: {text}")


def _table(tables: dict[str, Table], verb: str, key: str) -> None:
    if verb == "add":
        tables.setdefault(key, Table())
    elif verb == "create":
        if key in tables:
            raise Refused(f"{_EXISTS}: table {key}")
        tables[key] = Table()
    elif verb == "flush":
        for rules in tables[key].chains.values() if key in tables else ():
            rules.clear()
    elif tables.pop(key, None) is None and verb == "delete":
        raise Refused(f"{_NO_SUCH}: table {key}")


def _rule(table: Table, verb: str, chain: str, rule: str) -> None:
    rules = table.chain(chain)
    if verb == "insert":
        rules.insert(0, rule)
    elif verb == "add":
        rules.append(rule)
    else:
        raise Refused("Error: syntax error, rules are deleted by flushing their chain")


def _object(table: Table, kind: str, verb: str, name: str, traits: str) -> None:
    if verb in ("add", "create"):
        _add_object(table, kind, verb, name, traits)
    elif verb == "flush":
        (table.chain(name) if kind == "chain" else table.holder(name)).clear()
    else:
        kinds: dict[str, dict[str, Any]] = {"chain": table.chains, "map": table.maps, "set": table.sets}
        kept = kinds[kind]
        if name not in kept:
            if verb == "delete":
                raise Refused(f"{_NO_SUCH}: {name}")
            return
        if kind == "chain" and table.chains[name]:
            raise Refused(f"{_BUSY}: {name}")
        del kept[name]
        try:
            table.check()
        except Refused as error:
            raise Refused(f"{_BUSY}: {name}") from error


def _add_object(table: Table, kind: str, verb: str, name: str, traits: str) -> None:
    if kind == "chain":
        known = name in table.chains
        table.chains.setdefault(name, [])
        if traits:
            table.bases[name] = traits
    else:
        if not traits:
            raise Refused(f"Error: unqualified type: {kind} {name}")
        holder, other = (table.maps, table.sets) if kind == "map" else (table.sets, table.maps)
        known = name in holder
        if name in other:
            raise Refused(f"{_EXISTS}: {name}")
        holder.setdefault(name, {})
    if known and verb == "create":
        raise Refused(f"{_EXISTS}: {name}")


def _elements(table: Table, verb: str, name: str, text: str) -> None:
    holder = table.holder(name)
    for element in text.strip("{} ").split(","):
        key, _, value = (part.strip() for part in element.strip().partition(" : "))
        if not key:
            continue
        if verb in ("add", "create"):
            if holder.setdefault(key, value) != value:
                raise Refused(f"{_EXISTS}: {name} {key}")
        elif holder.pop(key, None) is None and verb == "delete":
            raise Refused(f"{_NO_SUCH}: {name} {key}")
