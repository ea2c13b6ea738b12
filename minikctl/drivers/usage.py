"""What containers use of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Usage:
    """CPU time since the container's start, memory that cannot be reclaimed, and when that was read."""

    cpu_seconds: float
    memory_bytes: int
    at: datetime


class UsageSource(Protocol):
    """Tells what containers use."""

    async def usage(self, container_id: str) -> Usage | None:
        """Return what a container uses, None if it does not run."""
        ...
