"""Quantities such as ``500m`` or ``1536Mi``: exact arithmetic, and Kubernetes' canonical text."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from fractions import Fraction

NANO = Fraction(1, 10**9)
LARGEST = 2**63 - 1
FORMAT = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_NAMES = {exponent: name for name, exponent in _DECIMAL.items()}
_BINARY_NAMES = {exponent: name for name, exponent in _BINARY.items()}
_SPLIT = re.compile(r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", re.ASCII)
_EXPONENT = re.compile(r"[eE][+-]?[0-9]+", re.ASCII)


@functools.lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Fraction, str]:
    """Return the value and the style ("binary", "exponent", "decimal") in which it was written."""
    split = _SPLIT.fullmatch(text)
    if not split:
        raise ValueError(f"quantities must match the regular expression '{FORMAT}'")
    number, suffix = split.groups()
    if not _NUMBER.fullmatch(number):
        raise ValueError("unable to parse numeric part of quantity")
    if suffix in _BINARY:
        style, factor = "binary", Fraction(1024) ** _BINARY[suffix]
    elif suffix in _DECIMAL:
        style, factor = "decimal", Fraction(10) ** _DECIMAL[suffix]
    elif _EXPONENT.fullmatch(suffix) and len(suffix) < 6:
        style, factor = "exponent", Fraction(10) ** int(suffix[1:])
    else:
        raise ValueError("unable to parse quantity's suffix")
    return _bounded(Fraction(number.rstrip(".")) * factor), style


def _bounded(value: Fraction) -> Fraction:
    """Return the value away from zero to whole nanos, and no larger than an int64."""
    sign = -1 if value < 0 else 1
    return sign * min(Fraction(math.ceil(abs(value) / NANO)) * NANO, Fraction(LARGEST))


def parse(text: str | int | float) -> Fraction:
    """Return the exact value; ValueError carries Kubernetes' text."""
    return _read(str(text))[0]


@functools.lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return _shown(*_read(text))


def _shown(value: Fraction, style: str) -> str:
    if style == "binary" and abs(value) >= 1024:
        return _binary(_away(value))
    exponent, mantissa = -9, _away(value / NANO)
    while mantissa and mantissa % 1000 == 0 and exponent < 18:
        exponent, mantissa = exponent + 3, mantissa // 1000
    if not mantissa:
        return "0"
    if style == "exponent":
        return f"{mantissa}e{exponent}" if exponent else str(mantissa)
    return f"{mantissa}{_DECIMAL_NAMES[exponent]}"


def _away(value: Fraction) -> int:
    return math.ceil(value) if value > 0 else math.floor(value)


def _binary(value: int) -> str:
    power = 0
    while value % 1024 == 0 and power < 6:
        power, value = power + 1, value // 1024
    return f"{value}{_BINARY_NAMES.get(power, '')}"


def canonical(text: str | int | float) -> str:
    """Return the text that Kubernetes keeps: ``500m`` for ``0.5``, ``1Gi`` for ``1024Mi``."""
    return _canonical(str(text))


def total(texts: Iterable[str | int | float]) -> str:
    """Return the sum, written as the first of them that is not zero is."""
    read = [_read(str(text)) for text in texts]
    style = next((style for value, style in read if value), "decimal")
    return _shown(_bounded(sum((value for value, _ in read), Fraction())), style)


def less(left: str | int | float, right: str | int | float) -> str:
    """Return the difference, written as the minuend is."""
    (value, style), (other, other_style) = _read(str(left)), _read(str(right))
    return _shown(_bounded(value - other), style if value else other_style)


def compare(left: str | int | float, right: str | int | float) -> int:
    """Return -1, 0 or 1 as ``left`` is less than, equal to or greater than ``right``."""
    difference = parse(left) - parse(right)
    return (difference > 0) - (difference < 0)


def millis(text: str | int | float) -> int:
    """Return thousandths, rounded up: CPU in milli-CPUs."""
    return math.ceil(parse(text) * 1000)


def whole(text: str | int | float) -> int:
    """Return the value rounded up to a whole number: memory in bytes."""
    return math.ceil(parse(text))
