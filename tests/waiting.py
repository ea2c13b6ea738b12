"""Waiting for what other processes do, on the machine's own clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(check: Callable[[], Any], seconds: float = 60, pause: float = 0.2) -> Any:
    """Return what ``check`` returns once that is true; its last value is shown when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds} s"
        time.sleep(pause)
