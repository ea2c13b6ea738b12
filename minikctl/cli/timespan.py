"""Durations on the command line, as Go writes them: 90s, 1m30s, 1.5h, 500ms."""

from __future__ import annotations

from minikctl import errors
from minikctl.model import godurations


def complaint(text: str) -> str:
    """Return what Go's ParseDuration says of a text that is no duration; "" when it is one."""
    try:
        godurations.seconds(text)
    except ValueError as error:
        return str(error)
    return ""


def seconds(text: str, wrong: str = "") -> float:
    """Return the seconds of a duration; a bare number counts as seconds.

    ``UsageError`` with the text ``wrong``, or one of our own, when it is none.
    """
    body = text.strip()
    bare = body.lstrip("+-").replace(".", "", 1).isdecimal() and not body.endswith(".")
    try:
        return godurations.seconds(f"{body}s" if bare else body)
    except ValueError as error:
        raise errors.UsageError(
            wrong or f'error: invalid duration "{text}": write it as 90s, 1m30s or 2h'
        ) from error


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
