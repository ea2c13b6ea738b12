from __future__ import annotations

from datetime import UTC, datetime

import pytest

from minikctl.model import durations

M, H, D, Y = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (2 * M, "2m"),
        (5 * M + 30, "5m30s"),
        (10 * M + 5, "10m"),
        (179 * M, "179m"),
        (3 * H, "3h"),
        (3 * H + 5 * M, "3h5m"),
        (8 * H + 5 * M, "8h"),
        (47 * H, "47h"),
        (2 * D + 4 * H, "2d4h"),
        (8 * D + 4 * H, "8d"),
        (400 * D, "400d"),
        (2 * Y + 3 * D, "2y3d"),
        (8 * Y + 3 * D, "8y"),
    ],
)
def test_human(seconds: float, shown: str) -> None:
    assert durations.human(seconds) == shown


def test_since() -> None:
    now = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert durations.since("2026-01-01T00:00:00Z", now) == "5m"
    assert durations.since(None, now) == "<unknown>"
