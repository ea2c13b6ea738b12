"""``quantity("1Gi")`` and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from minikctl.model import quantity

TAG = "kubernetes.Quantity"
_OPAQUE = "map(string, dyn)"


def _parse(text: str) -> dict[str, Any]:
    return _made(quantity.parse(text))


def _made(number: Fraction) -> dict[str, Any]:
    return {TAG: str(number)}


def _number(value: dict[str, Any]) -> Fraction:
    if TAG not in value:
        raise ValueError("no such overload")
    return Fraction(value[TAG])


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def compare(one: dict[str, Any], other: dict[str, Any]) -> int:
    """Return -1, 0 or 1."""
    left, right = _number(one), _number(other)
    return (left > right) - (left < right)


def _is_integer(value: dict[str, Any]) -> bool:
    """Tell whether the number is one of 64 bits; the largest stands for all that are larger."""
    number = _number(value)
    return number.denominator == 1 and abs(number) < quantity.LARGEST


def _as_integer(value: dict[str, Any]) -> int:
    if not _is_integer(value):
        raise ValueError("cannot convert value to integer")
    return int(_number(value))


def _added(one: dict[str, Any], other: Any) -> dict[str, Any]:
    return _made(_number(one) + (other if isinstance(other, int) else _number(other)))


def _less(one: dict[str, Any], other: Any) -> dict[str, Any]:
    return _made(_number(one) - (other if isinstance(other, int) else _number(other)))


FUNCTIONS: list[tuple[str, tuple[str, ...], str, Callable[..., Any]]] = [
    ("quantity", ("string",), _OPAQUE, _parse),
    ("isQuantity", ("string",), "bool", _is_quantity),
    (".sign", (_OPAQUE,), "int", lambda value: (_number(value) > 0) - (_number(value) < 0)),
    (".isInteger", (_OPAQUE,), "bool", _is_integer),
    (".asInteger", (_OPAQUE,), "int", _as_integer),
    (".asApproximateFloat", (_OPAQUE,), "double", lambda value: float(_number(value))),
    (".add", (_OPAQUE, _OPAQUE), _OPAQUE, _added),
    (".add", (_OPAQUE, "int"), _OPAQUE, _added),
    (".sub", (_OPAQUE, _OPAQUE), _OPAQUE, _less),
    (".sub", (_OPAQUE, "int"), _OPAQUE, _less),
]
