"""Durations on the command line, as Go writes them: 90s, 1m30s, 1.5h, 500ms."""

from __future__ import annotations

from minikctl import errors

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"


def complaint(text: str) -> str:
    """Return what Go's ParseDuration says of a text that is no duration; "" when it is one."""
    import re

    body = re.sub(r"^[-+]", "", text)
    if body == "0":
        return ""
    if not body:
        return f'time: invalid duration "{text}"'
    while body:
        number = re.match(r"\d+(\.\d*)?|\.\d+", body)
        if number is None:
            return f'time: invalid duration "{text}"'
        unit = re.match(r"[^0-9.]*", body[number.end() :])
        name = unit[0] if unit else ""
        if not name:
            return f'time: missing unit in duration "{text}"'
        if name not in _UNITS:
            return f'time: unknown unit "{name}" in duration "{text}"'
        body = body[number.end() + len(name) :]
    return ""


def seconds(text: str, wrong: str = "") -> float:
    """Return the seconds of a duration; a bare number counts as seconds.

    ``UsageError`` with the text ``wrong``, or one of our own, when it is none.
    """
    if text.endswith("s") and text[:-1].isdecimal():
        return float(text[:-1])
    import re

    body = text.strip()
    sign = -1.0 if body.startswith("-") else 1.0
    body = body.lstrip("+-")
    if re.fullmatch(r"\d+(\.\d+)?", body):
        return sign * float(body)
    parts = re.findall(_PART, body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise errors.UsageError(wrong or f'error: invalid duration "{text}": write it as 90s, 1m30s or 2h')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)


_LAYOUT = "2006-01-02T15:04:05Z07:00"
_PIECES = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d?"),
    (":", ":"), ("04", r"\d\d"), (":", ":"), ("05", r"\d\d(?:[.,]\d+)?"), ("Z07:00", r"Z|[+-]\d\d:\d\d"),
)  # fmt: skip


def moment_complaint(text: str) -> str:
    """Return what Go says of a text that is no RFC 3339 time; "" for one that is."""
    import re
    from datetime import datetime

    at = 0
    for piece, pattern in _PIECES:
        found = re.compile(pattern, re.ASCII).match(text, at)
        if found is None:
            return f'parsing time "{text}" as "{_LAYOUT}": cannot parse "{text[at:]}" as "{piece}"'
        at = found.end()
    if at < len(text):
        return f'parsing time "{text}": extra text: "{text[at:]}"'
    year, month, day, hour, minute, second = (int(part) for part in re.split(r"\D", text[:19])[:6])
    limits = (
        ("month", 1 <= month <= 12),
        ("hour", hour < 24),
        ("minute", minute < 60),
        ("second", second < 60),
    )
    for what, holds in limits:
        if not holds:
            return f'parsing time "{text}": {what} out of range'
    try:
        datetime(max(year, 1), month, day)
    except ValueError:
        return f'parsing time "{text}": day out of range'
    return ""
