"""Durations on the command line, as Go writes them: 90s, 1m30s, 1.5h, 500ms."""

from __future__ import annotations

from minikctl import errors

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"


def seconds(text: str) -> float:
    """Return the seconds of a duration; a bare number counts as seconds."""
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
        raise errors.UsageError(f'error: invalid duration "{text}": write it as 90s, 1m30s or 2h')
    return sign * sum(float(number) * _UNITS[unit] for number, unit in parts)
