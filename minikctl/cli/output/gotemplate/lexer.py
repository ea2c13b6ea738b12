"""From the text of a template to words: literal text, and the tokens of each ``{{…}}``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from minikctl import errors

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:\\.|[^"\\\n])*"|`[^`]*`)
    |(?P<char>'(?:\\.|[^'\\\n])+')
    |(?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))
    |(?P<field>\.[A-Za-z_]\w*)
    |(?P<variable>\$\w*)
    |(?P<dot>\.)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<mark>:=|[=|(),])
    """,
    re.X,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.S)


class BadTemplate(errors.UsageError):
    """The text is no template; the message is Go's, with the line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"template: output:{line}: {message}")


class Token(NamedTuple):
    """One word of an action; ``spaced``: there is space before it, ``at`` its place in the template."""

    kind: str
    text: str
    spaced: bool
    at: int


class Action(NamedTuple):
    """The words of one ``{{…}}``."""

    tokens: list[Token]
    line: int


def split(template: str) -> Iterator[str | Action]:
    """Yield literal texts and actions, space that ``{{-`` and ``-}}`` eat being gone."""
    place, trims = 0, False
    while True:
        opened = template.find("{{", place)
        text = template[place : opened if opened >= 0 else None]
        if trims:
            text = text.lstrip()
        if opened >= 0 and template.startswith("{{- ", opened):
            text = text.rstrip()
        if text:
            yield text
        if opened < 0:
            return
        found, place, trims = _action(template, opened)
        if found is not None:
            yield found


def _action(template: str, opened: int) -> tuple[Action | None, int, bool]:
    """Return the action that begins there (None: a comment), where it ends, and whether it eats what follows."""
    line = template.count("\n", 0, opened) + 1
    place = opened + (3 if template.startswith("{{- ", opened) else 2)
    comment = re.compile(r"\s*/\*.*?\*/(\s-)?\}\}", re.S).match(template, place)
    if comment:
        return None, comment.end(), bool(comment[1])
    tokens: list[Token] = []
    spaced = False
    while True:
        end = re.compile(r"(\s-)?\}\}").match(template, place)
        if end:
            return Action(tokens, line), end.end(), bool(end[1])
        if place >= len(template):
            raise BadTemplate(line, "unclosed action")
        match = _TOKEN.match(template, place)
        if match is None:
            raise BadTemplate(line, _strange(template, place))
        if match.lastgroup == "space":
            spaced = True
        else:
            tokens.append(Token(match.lastgroup or "", match[0], spaced, place))
            spaced = False
        place = match.end()


def _strange(template: str, place: int) -> str:
    char = template[place]
    if char == '"':
        return "unterminated quoted string"
    if char == "`":
        return "unterminated raw quoted string"
    if char == "'":
        return "unterminated character constant"
    return (
        f"unexpected {char!r} in command" if char.isascii() else f"unrecognized character in action: {char}"
    )


def unquoted(text: str) -> str:
    """Return what a quoted constant stands for."""
    if text[0] == "`":
        return text[1:-1]

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        if code[0] in "xuU" and len(code) > 1:
            return chr(int(code[1:], 16))
        if len(code) == 3:
            return chr(int(code, 8))
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(plain, text[1:-1])


def number(text: str) -> int | float:
    """Return the value of a numeric constant."""
    plain = text.replace("_", "")
    body = plain.lstrip("+-").lower()
    if body.startswith(("0x", "0o", "0b")):
        return int(plain, 0)
    return float(plain) if any(char in body for char in ".e") else int(plain)
