"""How Go names and writes the values that JSON can hold, for texts that Kubernetes' programs print."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

_LITTLE_EXPONENT, _LARGE_EXPONENT = -4, 6


def kind(value: Any) -> str:
    """Return the name of a value's Go type."""
    if isinstance(value, bool):
        return "bool"
    for types, name in (
        (int, "int64"),
        (float, "float64"),
        (str, "string"),
        (dict, "map[string]interface {}"),
        (list, "[]interface {}"),
    ):
        if isinstance(value, types):
            return name
    return "<nil>"


def shown(value: Any) -> str:
    """Return the value as Go's ``%v`` writes it."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(shown, value)) + "]"
    return str(value)


def _float(value: float) -> str:
    power = Decimal(repr(value)).adjusted()
    if value and (power < _LITTLE_EXPONENT or power >= _LARGE_EXPONENT):
        digits = repr(abs(value)).partition("e")[0].replace(".", "").strip("0")
        mantissa = digits[0] + (f".{digits[1:]}" if digits[1:] else "")
        return f"{'-' if value < 0 else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return str(int(value)) if value == int(value) else repr(value)


def syntax(value: Any) -> str:
    """Return the value as Go's ``%#v`` writes it, of kind ``interface{}``."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return f"{kind(value)}{{{', '.join(f'{syntax(key)}:{syntax(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"{kind(value)}{{{', '.join(map(syntax, value))}}}"
    return "interface {}(nil)" if value is None else shown(value)
