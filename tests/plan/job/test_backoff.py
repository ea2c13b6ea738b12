"""When a pod ended, by what it tells: containers first, then readiness, deletion, creation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from minikctl.plan.job import backoff

CREATED, EARLY, LATE = ("2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z")


def ended(*moments: str | None) -> dict[str, Any]:
    states = [{"terminated": {"finishedAt": each}} if each else {"running": {}} for each in moments]
    return {"containerStatuses": [{"state": each} for each in states]}


def ready(status: str) -> dict[str, Any]:
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": EARLY}]}


DELETED = {"deletionTimestamp": LATE, "deletionGracePeriodSeconds": 30}


@pytest.mark.parametrize(
    ("meta", "status", "moment"),
    [
        (DELETED, ended(EARLY, LATE), "2026-01-01T12:00:00Z"),
        (DELETED, ended(LATE, EARLY) | ready("False"), "2026-01-01T12:00:00Z"),
        (DELETED, ended(LATE, None) | ready("False"), "2026-01-01T11:00:00Z"),
        (DELETED, ended(None) | ready("True"), "2026-01-01T11:59:30Z"),
        ({"deletionTimestamp": LATE}, {}, "2026-01-01T12:00:00Z"),
        ({}, ready("True"), "2026-01-01T10:00:00Z"),
        ({}, {}, "2026-01-01T10:00:00Z"),
    ],
)
def test_the_end_is_told_by_the_best_witness(
    meta: dict[str, Any], status: dict[str, Any], moment: str
) -> None:
    pod = {"metadata": {"creationTimestamp": CREATED, **meta}, "status": status}
    assert backoff.finished_at(pod) == datetime.fromisoformat(moment)


def test_a_pod_that_tells_nothing_ended_before_all_others() -> None:
    assert backoff.finished_at({"metadata": {}}) == datetime.min.replace(tzinfo=UTC)
