"""Numbers of pods that may be a share of all: ``2`` or ``25%``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes
from minikctl.model.kind import Cause

_PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', "
    "regex used for validation is '[0-9]+%')"
)


def validate(path: str, value: Any) -> Iterator[Cause]:
    """Yield what is wrong with the number or share; a share is at most all."""
    yield from number(path, value)
    if isinstance(value, str) and re.fullmatch("[0-9]+%", value, re.ASCII) and int(value[:-1]) > 100:
        yield causes.invalid(path, value, "must not be greater than 100%")


def number(path: str, value: Any) -> Iterator[Cause]:
    """Yield what is wrong with the number or share, however great it is."""
    if isinstance(value, str):
        if not re.fullmatch("[0-9]+%", value, re.ASCII):
            yield causes.invalid(path, value, _PERCENT)
    elif value is not None and value < 0:
        yield causes.invalid(path, value, "must be greater than or equal to 0")


def is_zero(value: Any) -> bool:
    """Tell whether the number or share, a sound one, is none."""
    return value == 0 or (isinstance(value, str) and int(value[:-1]) == 0)
