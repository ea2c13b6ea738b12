from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import patches

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(alphabet="ab", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
PLAIN = st.recursive(
    st.booleans() | st.integers(-3, 3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3)


@pytest.mark.parametrize(
    ("document", "operation", "outcome"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": [1]}, {"a": 1, "b": [1]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": [1]}, {"op": "add", "path": "/a/0", "value": 2}, {"a": [2, 1]}),
        ({"a": [1]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"op": "add", "path": "", "value": 2}, 2),
        ({"a": 1}, {"op": "add", "path": "/b"}, {"a": 1, "b": None}),
        ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b"}, {"a": {"b": None}}),
        ({"a": None}, {"op": "test", "path": "/a"}, {"a": None}),
        ({"a~/b": 1}, {"op": "remove", "path": "/a~0~1b"}, {}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": {"b": 1}}, {"op": "replace", "path": "/a/b", "value": None}, {"a": {"b": None}}),
        ({"a": [1]}, {"op": "replace", "path": "/a/0", "value": 2}, {"a": [2]}),
        ({"a": {"b": 1}}, {"op": "replace", "path": "", "value": {}}, {}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, {"op": "copy", "from": "/a", "path": "/a/c"}, {"a": {"b": 1, "c": {"b": 1}}}),
        ({"a": [1, {"b": 2}]}, {"op": "test", "path": "/a", "value": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}),
    ],
)
def test_operation(document: Any, operation: dict[str, Any], outcome: Any) -> None:
    before = copy.deepcopy(document)
    assert patches.json_patch(document, [operation]) == outcome
    assert document == before


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        ("x", "each operation of a JSON patch is an object"),
        ({"op": "grow", "path": ""}, "unexpected kind: grow"),
        ({"op": "add", "path": "a", "value": 1}, '"path" is not a JSON pointer: a'),
        ({"op": "move", "path": "/a"}, '"from" is not a JSON pointer: None'),
        ({"op": "add", "path": "/x/y", "value": 1}, "the path /x does not exist"),
        ({"op": "add", "path": "/a/b/c", "value": 1}, "the path /a/b/c does not exist"),
        ({"op": "replace", "path": "/x~1y", "value": 1}, "the path /x~1y does not exist"),
        ({"op": "replace", "path": "/l/-", "value": 1}, "/l/- is not an index of a list"),
        ({"op": "remove", "path": "/l/01"}, "/l/01 is not an index of a list"),
        ({"op": "remove", "path": "/l/1"}, "the path /l/1 does not exist"),
        ({"op": "remove", "path": ""}, "the whole document cannot be removed"),
        ({"op": "move", "from": "/a", "path": "/a/b"}, "cannot move /a into itself"),
        ({"op": "test", "path": "/l/0", "value": True}, "testing value /l/0 failed"),
    ],
)
def test_refused_operation(operation: Any, said: str) -> None:
    with pytest.raises(patches.PatchError) as error:
        patches.json_patch({"a": {"b": 1}, "l": [1]}, [operation])
    assert str(error.value) == said


def test_copies_of_copies_end() -> None:
    document = {"a": {"b": "x" * 1000}}
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(40)]
    with pytest.raises(patches.PatchError, match="Unable to complete the copy, the accumulated size"):
        patches.json_patch(document, doubling)
    assert patches.json_patch(document, doubling[:3])["a"]["1"]["0"]["b"] == "x" * 1000


def test_a_json_patch_is_a_list() -> None:
    with pytest.raises(patches.PatchError, match="a JSON patch is a list"):
        patches.json_patch({}, {})


@pytest.mark.parametrize(
    ("document", "patch", "outcome"),
    [
        ({"a": 1}, {"a": None, "b": {"c": None, "d": 1}}, {"b": {"d": 1}}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, [1], [1]),
        ([1], {"a": 1}, {"a": 1}),
    ],
)
def test_merge(document: Any, patch: Any, outcome: Any) -> None:
    assert patches.merge(document, patch) == outcome


@settings(deadline=None, max_examples=60)
@given(OBJECTS, OBJECTS)
def test_the_difference_leads_from_old_to_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert patches.merge(old, patches.merge_diff(old, new)) == new
    assert patches.merge_diff(new, new) == {}


@settings(deadline=None, max_examples=60)
@given(VALUES, VALUES)
def test_merge_changes_neither_side_and_is_idempotent(document: Any, patch: Any) -> None:
    before = copy.deepcopy((document, patch))
    outcome = patches.merge(document, patch)
    assert (document, patch) == before
    assert patches.merge(outcome, patch) == outcome


def test_a_merge_patch_that_is_no_object_replaces_all() -> None:
    assert patches.merge({"a": 1}, None) is None


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
        ({"a": 1, "b": 2}, {"b": 2, "c": None}, {"a": None, "c": None}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
    ],
)
def test_a_merge_patch_says_the_difference_and_no_more(
    old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert patches.merge_diff(old, new) == patch
