from __future__ import annotations

from typing import Any

import pytest

from minikctl.plan.deployment import fences


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 1, (1, 0)),
        ("0%", "25%", 1, (0, 1)),
        (0, 0, 5, (0, 1)),
        (2, "100%", 3, (2, 3)),
        (None, 1, 3, (0, 1)),
        ("1%", 0, 250, (3, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    surge: Any, unavailable: Any, replicas: int, expected: tuple[int, int]
) -> None:
    assert fences.resolve(surge, unavailable, replicas) == expected
