"""References to ports, by number or by name."""

from __future__ import annotations

from typing import Any

from minikctl.model import causes, names
from minikctl.model.kind import Cause

RANGE = "must be between 1 and 65535, inclusive"


def reference(path: str, value: Any) -> list[Cause]:
    """Return what is wrong with a port that may be a number or a name."""
    if isinstance(value, str):
        return [causes.invalid(path, value, fault) for fault in names.port_name(value)]
    return [] if 1 <= value <= 65535 else [causes.invalid(path, value, RANGE)]
