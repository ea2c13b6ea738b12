"""Variables in Compose files, and files of variables.

The rules are those of https://github.com/compose-spec/compose-spec/blob/main/12-interpolation.md.  Pure.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from minikctl import errors

_SIZES = {"b": "", "k": "Ki", "kb": "Ki", "m": "Mi", "mb": "Mi", "g": "Gi", "gb": "Gi"}
_BEGIN = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_]\w*)|(?P<brace>\{))")
_INSIDE = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<how>:?[-?+])?(?P<rest>.*)", re.DOTALL)


class Variables:
    """What ``$NAME`` stands for; ``missing`` collects the names that nothing stands for."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.missing: dict[str, None] = {}

    def put_in(self, value: Any) -> Any:
        """Return the value with variables in all of its texts replaced; keys stay as they are."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {key: self.put_in(each) for key, each in value.items()}
        return [self.put_in(each) for each in value] if isinstance(value, list) else value

    def _text(self, text: str) -> str:
        found, place = [], 0
        while match := _BEGIN.search(text, place):
            found.append(text[place : match.start()])
            place = match.end()
            if match["dollar"]:
                found.append("$")
            elif match["name"]:
                found.append(self._plain(match["name"]))
            else:
                end = _closing(text, place)
                found.append(self._braced(text[place:end]))
                place = end + 1
        return "".join([*found, text[place:]])

    def _plain(self, name: str) -> str:
        if name not in self.known:
            self.missing[name] = None
        return self.known.get(name, "")

    def _braced(self, inside: str) -> str:
        match = _INSIDE.fullmatch(inside)
        if match is None or (match["rest"] and not match["how"]):
            raise errors.UsageError(f"error: invalid interpolation format: ${{{inside}}}")
        name, how, rest = match["name"], match["how"] or "", match["rest"]
        value = self.known.get(name)
        is_there = bool(value) if how.startswith(":") else value is not None
        if how.endswith("-"):
            return str(value) if is_there else self._text(rest)
        if how.endswith("+"):
            return self._text(rest) if is_there else ""
        if how.endswith("?") and not is_there:
            raise errors.UsageError(f"error: required variable {name} is missing a value: {self._text(rest)}")
        return self._plain(name)


def _closing(text: str, place: int) -> int:
    """Return where the brace that was opened before ``place`` is closed."""
    depth = 1
    for number, char in enumerate(text[place:], place):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if not depth:
            return number
    raise errors.UsageError(f"error: invalid interpolation format: {text}: a brace is not closed")


def of_file(text: str, variables: Variables | None = None) -> dict[str, str]:
    """Return the variables of an ``.env`` file: ``KEY=VALUE`` lines, quotes and comments as Compose reads them.

    What stands before a line in the file, then ``variables``, is put in for ``$NAME``, but not in single quotes.
    """
    found: dict[str, str] = {}
    before = variables or Variables({})
    inside = Variables(ChainMap(found, dict(before.known)))
    for line in text.splitlines():
        key, equals, value = line.strip().removeprefix("export ").partition("=")
        if not equals or key.startswith("#"):
            continue
        value = value.strip()
        quoted = re.match(r"""(["'])(.*?)\1""", value)
        bare = quoted[2] if quoted else re.sub(r"\s+#.*", "", value)
        found[key.strip()] = bare if quoted and quoted[1] == "'" else str(inside.put_in(bare))
    before.missing |= inside.missing
    return found


def amount(text: object) -> str:
    """Return a number of bytes of Compose (``64m``) as Kubernetes takes one."""
    match = re.fullmatch(r"(\d+)([a-z]*)", str(text).lower())
    return f"{match[1]}{_SIZES.get(match[2], '')}" if match else str(text)
