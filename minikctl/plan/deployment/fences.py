"""How far a rollout may go beyond and below the wanted number of replicas."""

from __future__ import annotations

from typing import Any


def scaled(value: Any, total: int, *, up: bool) -> int:
    """Return the number that an IntOrString means: itself, or a percentage of the total, rounded."""
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total
        return -(-share // 100) if up else share // 100
    return int(value or 0)


def resolve(max_surge: Any, max_unavailable: Any, replicas: int) -> tuple[int, int]:
    """Return (surge, unavailable) in pods; a rollout can always move, so they are never both 0."""
    surge = scaled(max_surge, replicas, up=True)
    unavailable = scaled(max_unavailable, replicas, up=False)
    if surge == 0 and unavailable == 0:
        return 0, 1
    return surge, unavailable
