from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from minikctl.model import objects

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "a",
        "namespace": "b",
        "uid": "1",
        "resourceVersion": "7",
        "generation": 2,
        "annotations": {"x": "y"},
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"uid": "0"}, {"uid": "9", "controller": True}],
    },
    "status": {"conditions": [{"type": "A"}, {"type": "Ready", "status": "True"}]},
}


def test_a_full_object() -> None:
    assert objects.key(POD) == ("b", "a")
    assert (objects.uid(POD), objects.resource_version(POD), objects.generation(POD)) == ("1", "7", 2)
    assert objects.annotations(POD) == {"x": "y"}
    assert objects.is_deleting(POD)
    assert objects.controller_of(POD) == {"uid": "9", "controller": True}
    assert objects.condition(POD, "Ready") == {"type": "Ready", "status": "True"}
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "1"}
    assert objects.owner_reference(POD) == {**reference, "controller": True, "blockOwnerDeletion": True}


def test_a_sparse_object() -> None:
    for obj in ({}, {"metadata": None, "spec": None}):
        assert objects.key(obj) == ("", "")
        assert (objects.uid(obj), objects.resource_version(obj), objects.generation(obj)) == ("", "", 0)
        assert (objects.labels(obj), objects.annotations(obj), objects.spec(obj), objects.status(obj)) == (
            {},
            {},
            {},
            {},
        )
        assert not objects.is_deleting(obj)
        assert objects.controller_of(obj) is None
        assert objects.condition(obj, "Ready") is None


def test_times() -> None:
    moment = datetime(2026, 1, 1, 2, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert objects.timestamp(moment) == "2026-01-01T00:00:00Z"
    assert objects.micro_timestamp(moment) == "2026-01-01T00:00:00.000005Z"
    assert objects.parse_time("2026-01-01T00:00:00.000005Z") == moment
    first = datetime(1, 1, 1, 0, 0, 2, tzinfo=UTC)
    assert objects.timestamp(first) == "0001-01-01T00:00:02Z"
    assert objects.micro_timestamp(first) == "0001-01-01T00:00:02.000000Z"
    assert objects.parse_time("2026-01-01T00:00:00") == datetime(2026, 1, 1, tzinfo=UTC)
    assert objects.parse_time("") is objects.parse_time("soon") is None


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01T01:00:00.5+01:00", "2026-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+23:00", "0001-01-01T00:00:00+23:00"),
        ("never", "never"),
    ],
)
def test_times_are_kept_in_utc(text: str, kept: str) -> None:
    assert objects.in_utc(text) == kept


def test_times_of_events_and_leases_are_kept_in_microseconds() -> None:
    assert objects.in_utc("2026-01-01T01:00:00+01:00", micro=True) == "2026-01-01T00:00:00.000000Z"
    assert objects.in_utc("2026-01-01T01:00:00.5Z", micro=True) == "2026-01-01T01:00:00.500000Z"
