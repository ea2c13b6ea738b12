"""The functions of Go's templates, and kubectl's two of its own."""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse
from collections.abc import Callable, Sequence
from typing import Any

from minikctl.model.govalues import kind, shown


class Missing:
    """What a key that is not there gives: nothing, which prints as such."""

    def __repr__(self) -> str:
        return "<no value>"


MISSING = Missing()


class Refused(Exception):
    """A function cannot do that with these values."""


def is_true(value: Any) -> bool:
    """Tell whether a value counts as there."""
    return value is not MISSING and bool(value)


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict | list):
        return len(value)
    if value is None or value is MISSING:
        raise Refused("len of nil pointer")
    raise Refused(f"len of type {kind(value)}")


def _index(value: Any, *keys: Any) -> Any:
    if value is None or value is MISSING:
        raise Refused("index of untyped nil")
    for key in keys:
        if value is None or value is MISSING:
            raise Refused("index of nil pointer")
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise Refused(f"value has type {kind(key).replace('64', '')}; should be string")
            value = value.get(key, MISSING)
        elif isinstance(value, list | str):
            if not isinstance(key, int):
                raise Refused(f"cannot index slice/array with type {kind(key)}")
            if not 0 <= key < len(value):
                raise Refused(f"index out of range: {key}")
            value = value[key] if isinstance(value, list) else value.encode()[key]
        else:
            raise Refused(f"can't index item of type {kind(value)}")
    return value


def _slice(value: Any, *places: int) -> Any:
    if not isinstance(value, str | list):
        raise Refused(f"can't slice item of type {kind(value)}")
    first, last = (places[0] if places else 0), (places[1] if len(places) > 1 else len(value))
    if not 0 <= first <= last <= len(value):
        raise Refused(f"index out of range: {last if last > len(value) else first}")
    return value[first:last]


def _print(*values: Any) -> str:
    """Join with spaces where neither neighbour is text."""
    found = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            found += " "
        found += shown(value)
    return found


_VERB = re.compile(r"%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")


def _printf(form: str, *values: Any) -> str:
    waiting = list(values)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if not waiting:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, waiting.pop(0), flags, int(width or 0), precision)
        return _padded(text, flags, int(width or 0), verb)

    text = _VERB.sub(one, form)
    if waiting:
        text += "%!(EXTRA " + ", ".join(f"{kind(v)}={shown(v)}" for v in waiting) + ")"
    return text


def _padded(text: str, flags: str, width: int, verb: str) -> str:
    if "-" in flags:
        return text.ljust(width)
    return text.zfill(width) if "0" in flags and verb in "dxXobfeg" else text.rjust(width)


def _verb(verb: str, value: Any, flags: str, width: int, precision: str | None) -> str:
    numeric = isinstance(value, int) and not isinstance(value, bool)
    if verb == "v" or (verb == "s" and isinstance(value, str | dict | list)):
        return shown(value)[: int(precision)] if precision and isinstance(value, str) else shown(value)
    if verb == "T":
        return kind(value)
    if verb == "q" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if verb == "t" and isinstance(value, bool):
        return shown(value)
    if verb in "dboxX" and numeric:
        return ("+" if "+" in flags and value >= 0 else "") + format(value, verb)
    if verb == "c" and numeric:
        return chr(value)
    if verb in "xX" and isinstance(value, str):
        return value.encode().hex() if verb == "x" else value.encode().hex().upper()
    if verb in "feg" and isinstance(value, float):
        return shown(value) if verb == "g" and not precision else format(value, f".{precision or 6}{verb}")
    return f"%!{verb}({kind(value)}={shown(value).rjust(width)})"


def _comparable(left: Any, right: Any) -> None:
    sides = [v for v in (left, right) if v is not None and v is not MISSING]
    for side in sides:
        if isinstance(side, dict | list):
            raise Refused("non-comparable type " + shown(side) + ": " + kind(side))
    if len({kind(side) for side in sides}) > 1:
        raise Refused("incompatible types for comparison" + f": {kind(left)} and {kind(right)}")


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise Refused("missing argument for comparison")
    for other in others:
        _comparable(first, other)
        if first == other:
            return True
    return False


def _less(left: Any, right: Any) -> bool:
    _check_order(left, right)
    return bool(left < right)


def _greater(left: Any, right: Any) -> bool:
    _check_order(left, right)
    return bool(left > right)


def _check_order(left: Any, right: Any) -> None:
    if left is MISSING or right is MISSING or left is None or right is None or isinstance(left, bool):
        raise Refused("invalid type for comparison")
    _comparable(left, right)


_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;", "\0": "\ufffd"}
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _replaced(text: str, table: dict[str, str]) -> str:
    return "".join(table.get(char, char) for char in text)


def _exists(value: Any, *keys: Any) -> bool:
    for key in keys:
        try:
            value = _index(value, key)
        except Refused:
            return False
    return value is not MISSING


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise Refused(f"base64 decode failed: illegal base64 data at input byte {_misfit(text)}") from None


def _misfit(text: str) -> int:
    """Return which byte Go's decoder stops at: one that is no digit of base64, or the group that is not whole."""
    digits = re.match(r"(?:[A-Za-z0-9+/]{4})*", text)
    whole = digits.end() if digits else 0
    rest = text[whole:]
    good = len(rest) - len(rest.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
    return whole if good == len(rest) else whole + good


def _call(*values: Sequence[Any]) -> None:
    raise Refused("call of nil")


TABLE: dict[str, Callable[..., Any]] = {
    "len": _len,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": lambda *values: " ".join(map(shown, values)) + "\n",
    "printf": _printf,
    "not": lambda value: not is_true(value),
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": _less,
    "le": lambda left, right: not _greater(left, right),
    "gt": _greater,
    "ge": lambda left, right: not _less(left, right),
    "html": lambda *values: _replaced(_print(*values), _HTML),
    "js": lambda *values: _replaced(_print(*values), _JS),
    "urlquery": lambda *values: urllib.parse.quote_plus(_print(*values)),
    "call": _call,
    "exists": _exists,
    "base64decode": _decoded,
}
"""Every function but ``and`` and ``or``, which look at no more than they need."""
