"""``semver("1.2.3")`` and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

TAG = "kubernetes.Semver"
_OPAQUE = "map(string, dyn)"
_NUMBER = r"0|[1-9]\d*"
_BEFORE = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_PATTERN = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_BEFORE}(?:\.{_BEFORE})*))?(?:\+{_BUILD})?", re.ASCII
)


def _parse(text: str, normalize: bool = False) -> dict[str, Any]:
    """Return the version; without its build, which does not count when versions are compared."""
    wanted = _normal(text) if normalize else text
    if _PATTERN.fullmatch(wanted) is None:
        raise ValueError(f"invalid semver: {text!r}")
    return {TAG: wanted.partition("+")[0]}


def _normal(text: str) -> str:
    """Return a version without its v and leading zeros, and with the minor and patch that it lacks.

    One that lacks them and has a pre-release or build all the same is no version, and stays as it is.
    """
    core, mark, rest = re.match(r"([^-+]*)([-+]?)(.*)", text.removeprefix("v"), re.S).groups()  # type: ignore[union-attr]
    parts = [part.lstrip("0") or "0" for part in core.split(".")]
    if mark and len(parts) < 3:
        return text
    return ".".join(parts + ["0"] * (3 - len(parts))) + mark + rest


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _parse(text, normalize)
    except ValueError:
        return False
    return True


def _key(value: dict[str, Any]) -> tuple[Any, ...]:
    found = _PATTERN.fullmatch(str(value.get(TAG)))
    if found is None:
        raise ValueError("no such overload")
    suffix = found[4]
    before = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in (suffix or "").split(".")]
    return (int(found[1]), int(found[2]), int(found[3]), suffix is None, before if suffix else [])


def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
    """Return -1, 0 or 1, pre-releases before the release."""
    left, right = _key(one), _key(other)
    return (left > right) - (left < right)


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    ("semver", ("string",), _OPAQUE, _parse),
    ("semver", ("string", "bool"), _OPAQUE, _parse),
    ("isSemver", ("string",), "bool", _is_semver),
    ("isSemver", ("string", "bool"), "bool", _is_semver),
    (".major", (_OPAQUE,), "int", lambda value: _key(value)[0]),
    (".minor", (_OPAQUE,), "int", lambda value: _key(value)[1]),
    (".patch", (_OPAQUE,), "int", lambda value: _key(value)[2]),
]
