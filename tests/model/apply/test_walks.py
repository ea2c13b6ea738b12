"""Walks over lists and values that are not as their schema wants them, as structured-merge-diff does them."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.apply import walks
from minikctl.model.structure import Node

TEXT = {"type": "string"}
ITEM = {
    "type": "object",
    "properties": {"k": TEXT, "v": TEXT, "o": {"type": "object", "properties": {"a": TEXT, "b": TEXT}}},
}
NODE = Node(
    {
        "type": "object",
        "properties": {
            "keyed": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["k"],
                "items": ITEM,
            },
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT},
            "struct": ITEM,
            "atomic": {**ITEM, "x-kubernetes-map-type": "atomic"},
            "text": TEXT,
            "number": {"type": "integer"},
            "flag": {"type": "boolean"},
        },
    },
    "",
    "",
)
A, B = 'k:{"k":"a"}', 'k:{"k":"b"}'


@pytest.mark.parametrize(
    ("obj", "fault"),
    [
        ({"set": [{}]}, ".set: element 0: associative list without keys has an element that's a map type"),
        ({"set": [[]]}, ".set: element 0: not supported: associative list with lists as elements"),
        (
            {"set": ["x", None]},
            ".set: element 1: associative list without keys has an element that's an explicit null",
        ),
        ({"text": 5}, ".text: expected string, got &value.valueUnstructured{Value:5}"),
        ({"text": True}, ".text: expected string, got &value.valueUnstructured{Value:true}"),
        (
            {"text": {"k8s_io__value": "unset"}},
            ".text: expected string, got "
            '&value.valueUnstructured{Value:map[string]interface {}{"k8s_io__value":"unset"}}',
        ),
        ({"number": "5"}, ".number: expected numeric (int or float), got string"),
        ({"number": {}}, ".number: expected numeric (int or float), got map[string]interface {}"),
        ({"flag": "yes"}, ".flag: expected boolean, got &{yes}"),
        ({"set": {"b": 1, "a": [True]}}, ".set: expected list, got &{map[a:[true] b:1]}"),
        ({"struct": ["x", 1.5]}, ".struct: expected map, got &{[x 1.5]}"),
        (
            {"set": ["x", {}, "x"]},
            ".set: element 1: associative list without keys has an element that's a map type",
        ),
        ({"keyed": [None]}, ".keyed: element 0: associative list with keys may not have a null element"),
        ({"keyed": ["x"]}, ".keyed: element 0: associative list with keys may not have non-map elements"),
    ],
)
def test_what_does_not_fit_the_schema_is_a_fault_of_a_configuration(obj: Any, fault: str) -> None:
    faults: list[str] = []
    walks.fields(NODE, obj, faults)
    assert faults == [fault]


@pytest.mark.parametrize(
    ("obj", "owned"),
    [
        ({"keyed": [{"k": "a"}, {"k": "a", "v": "x"}]}, {"f:keyed": {".": {}, A: {}}}),
        ({"keyed": [{"k": "a"}, {"v": "x"}]}, {"f:keyed": {}}),
        ({"set": ["x", "x"]}, {"f:set": {".": {}, 'v:"x"': {}}}),
    ],
)
def test_items_with_one_key_are_owned_without_their_fields_and_without_key_the_list(
    obj: Any, owned: Any
) -> None:
    assert walks.whole(NODE, obj) == {".": {}, **owned}


@pytest.mark.parametrize(
    ("old", "new", "changed", "removed"),
    [
        ([{"v": "x"}], [{"v": "y"}], {}, None),
        ([{"k": "a"}], [{"k": "a"}, {"k": "a", "v": "x"}], {A: {}}, {A: {".": {}, "f:k": {}}}),
        ([{"k": "a"}, {"k": "a", "v": "x"}], [{"k": "a"}], {A: {".": {}, "f:k": {}}}, {A: {}}),
        ([{"k": "a"}, {"k": "a"}], [{"k": "a"}, {"k": "a", "v": "x"}], {A: {}}, None),
        ([{"k": "a"}], [{"k": "a"}, {"k": "b"}, {"k": "b"}], {B: {}}, None),
        ([{"k": "a"}, {"k": "b"}, {"k": "b"}], [{"k": "a"}], None, {B: {}}),
        ([{"k": "a"}, {"k": "b"}], [{"k": "b"}, {"k": "a"}], None, None),
        ([{"k": "a", "v": "x"}], [{"k": "a", "v": "y"}], {A: {"f:v": {}}}, None),
    ],
)
def test_lists_differ_item_by_item_as_far_as_items_have_keys(
    old: Any, new: Any, changed: Any, removed: Any
) -> None:
    found = walks.compare(NODE, {"keyed": old}, {"keyed": new})
    wanted = [{} if each is None else {"f:keyed": each} for each in (changed, removed)]
    assert [found.changed, found.removed] == wanted


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ({"struct": {"v": "x"}}, {"struct": None}, {"struct": {"v": "x"}}),
        ({"text": "x"}, {"text": None}, {"text": None}),
        ({"keyed": [{"v": "x"}]}, {"keyed": [{"k": "a"}]}, {"keyed": [{"k": "a"}]}),
        ({"struct": "x"}, {"struct": {"v": "x"}}, {"struct": {"v": "x"}}),
        ({"keyed": [{"k": "a", "v": "x"}, {"k": "b"}, {"k": "a"}]}, {"keyed": [{"k": "a"}]}, {"keyed": [{"k": "a"}, {"k": "b"}]}),
    ],
)  # fmt: skip
def test_what_cannot_be_merged_is_replaced_and_null_says_nothing_of_a_struct(
    live: Any, config: Any, merged: Any
) -> None:
    assert walks.merge(NODE, live, config) == merged


@pytest.mark.parametrize(
    ("found", "gone", "left"),
    [
        ({"text": "x"}, {"f:text": {"f:a": {}}}, {"text": "x"}),
        ({"text": "x", "atomic": {"v": "x"}}, {"f:atomic": {"f:v": {}}}, {"text": "x"}),
        ({"keyed": [{"v": "x"}, {"k": "a"}]}, {"f:keyed": {A: {}}}, {"keyed": [{"v": "x"}]}),
        ({"keyed": [{"k": "a"}, {"k": "b"}]}, {"f:keyed": {A: {"f:k": {}}}}, {"keyed": [{"k": "b"}]}),
        ({"keyed": [{"k": "a"}]}, {"f:keyed": {A: {}}}, None),
        ({"struct": {"o": {"a": "x"}}}, {"f:struct": {"f:o": {"f:a": {}}}}, None),
        ({"struct": {"o": {"a": "x", "b": "y"}}}, {"f:struct": {"f:o": {"f:a": {}}}}, {"struct": {"o": {"b": "y"}}}),
    ],
)  # fmt: skip
def test_what_is_removed_and_what_is_left(found: Any, gone: Any, left: Any) -> None:
    assert walks.remove(NODE, found, gone) == left


@pytest.mark.parametrize(
    ("owned", "found"),
    [
        ({"f:nothing": {"f:a": {}}}, {"nothing": {"a": 1}}),
        ({"f:keyed": {A: {".": {}, "f:k": {}}}}, {}),
        ({"f:keyed": {}}, {"keyed": [{"v": "x"}]}),
        ({"f:keyed": {".": {}, A: {}}}, {"keyed": [{"k": "a"}, {"k": "a", "v": "x"}]}),
        ({"f:text": {}}, {"text": "x"}),
    ],
)
def test_fields_that_a_schema_has_as_before_are_owned_as_before(owned: Any, found: Any) -> None:
    assert walks.reconciled(NODE, owned, found) == owned
