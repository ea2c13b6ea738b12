"""Entries of managedFields: which are understood, and how they are shown and compared."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.apply import managers
from minikctl.model.apply.managers import Owned

FIELDS = {"f:data": {"f:x": {}}}
ENTRY = {
    "manager": "a",
    "operation": "Update",
    "apiVersion": "v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": FIELDS,
    "subresource": "status",
}


@pytest.mark.parametrize(
    "wrong",
    [
        "x",
        {**ENTRY, "operation": "Delete"},
        {**ENTRY, "apiVersion": ""},
        {**ENTRY, "fieldsType": "FieldsV2"},
        {**ENTRY, "fieldsV1": {"data": {}}},
    ],
)
def test_one_entry_that_makes_no_sense_spoils_them_all(wrong: Any) -> None:
    assert managers.read([ENTRY, wrong]) is None


def test_an_entry_without_time_is_written_as_it_was_read() -> None:
    found = managers.read([ENTRY])
    assert found == {managers.identity("a", False, "v1", "status"): Owned(FIELDS, "v1")}
    assert managers.write(found) == [ENTRY]


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        (managers.identity("a", True, "v1"), '"a"'),
        (managers.identity("", False, "v1"), '"unknown" using v1'),
        (managers.identity("a", False, "apps/v1", "scale"), '"a" with subresource "scale" using apps/v1'),
    ],
)
def test_conflicts_name_managers_as_kubernetes_does(who: managers.Identity, shown: str) -> None:
    assert who.shown() == shown


def test_equal_sets_are_one_and_what_is_none_is_left_alone() -> None:
    objects = [{"metadata": {"managedFields": [{"fieldsV1": {"f:b": {}, "f:a": {}}}, "x", {}]}} for _ in "ab"]
    for obj in objects:
        managers.share(obj)
    one, other = (obj["metadata"]["managedFields"] for obj in objects)
    assert one == [{"fieldsV1": {"f:a": {}, "f:b": {}}}, "x", {}]
    assert one[0]["fieldsV1"] is other[0]["fieldsV1"]


def test_entries_are_the_same_but_for_their_times() -> None:
    assert managers.same([{**ENTRY, "time": "1"}], [{**ENTRY, "time": "2"}])
    assert not managers.same([ENTRY], [{**ENTRY, "manager": "b"}])
