"""How long a key waits after its failures."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")

BASE_SECONDS = 0.005
MAX_SECONDS = 1000.0


class Backoff(Generic[K]):
    """Doubling waits per key, from ``base`` to ``cap`` seconds, until the key is forgotten."""

    def __init__(self, base: float = BASE_SECONDS, cap: float = MAX_SECONDS) -> None:
        self._base = base
        self._cap = cap
        self._failures: dict[K, int] = {}

    def next(self, key: K) -> float:
        """Count a failure of the key and return the seconds to wait before it is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded so that a key that fails for weeks does not overflow a float.
        return min(self._base * 2.0 ** min(failures, 64), self._cap)

    def failures(self, key: K) -> int:
        """Return how often the key failed since it was last forgotten."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Start again at ``base`` for this key."""
        self._failures.pop(key, None)
