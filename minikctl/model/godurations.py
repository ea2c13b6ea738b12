"""Durations as Go writes and reads them: 90s, 1m30s, 1.5h, 500ms (``time.ParseDuration``)."""

from __future__ import annotations

# No ``re``: the command line reads durations, and importing that takes longer than reading.
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DIGITS = "0123456789"


def seconds(text: str) -> float:
    """Return the seconds of a duration; ``ValueError`` in Go's words when the text is none."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    total = 0.0
    while rest:
        number = _number(rest)
        if not number.strip("."):
            raise ValueError(f'time: invalid duration "{text}"')
        rest = rest[len(number) :]
        unit = _run(rest, _DIGITS + ".", within=False)
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += float(number) * _UNITS[unit]
        rest = rest[len(unit) :]
    return sign * total


def _number(text: str) -> str:
    """Return the number that the text begins with: digits, and a fraction if there is one."""
    whole = _run(text, _DIGITS)
    if text[len(whole) : len(whole) + 1] != ".":
        return whole
    return f"{whole}.{_run(text[len(whole) + 1 :], _DIGITS)}"


def _run(text: str, characters: str, *, within: bool = True) -> str:
    """Return the beginning of the text that is made of these characters, or of others."""
    end = 0
    while end < len(text) and (text[end] in characters) is within:
        end += 1
    return text[:end]
