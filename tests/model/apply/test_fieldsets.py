"""Field sets against plain sets of paths, and their texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikctl.model.apply import fieldsets

STEPS = ("f:a", "f:b", 'k:{"name":"x"}', "v:1")
PATHS = st.lists(st.sampled_from(STEPS), min_size=1, max_size=3).map(tuple)
SETS = st.sets(PATHS, max_size=8)
Path = tuple[str, ...]


def built(paths: set[Path]) -> fieldsets.FieldSet:
    found: fieldsets.FieldSet = {}
    for path in paths:
        one: Any = {}
        for step in reversed(path):
            one = {step: one}
        found = fieldsets.union(found, one)
    return found


def listed(found: fieldsets.FieldSet) -> set[Path]:
    return set(fieldsets.paths(found))


@given(SETS)
def test_what_is_put_in_comes_out(paths: set[Path]) -> None:
    found = built(paths)
    assert listed(found) == paths
    assert fieldsets.is_valid(found)
    assert fieldsets.ordered(found) == found
    assert all(fieldsets.has(found, path) for path in paths)


@given(SETS, SETS)
def test_sets_are_sets(left: set[Path], right: set[Path]) -> None:
    one, other = built(left), built(right)
    assert listed(fieldsets.union(one, other)) == left | right
    assert listed(fieldsets.intersection(one, other)) == left & right
    assert listed(fieldsets.difference(one, other)) == left - right
    below = {path for path in left if any(path[: len(gone)] == gone for gone in right)}
    assert listed(fieldsets.without(one, other)) == left - below
    assert (built(left), built(right)) == (one, other), "nothing was changed in place"


def test_the_root_is_no_member() -> None:
    root: fieldsets.FieldSet = {".": {}, "f:a": {}}
    assert fieldsets.difference(root, {".": {}}) == {"f:a": {}}
    assert fieldsets.intersection(root, root) == {"f:a": {}}


def test_paths_are_shown_as_kubernetes_does() -> None:
    path = ("f:spec", 'k:{"protocol":"TCP","containerPort":80}', "f:a.b/c", 'v:"x"', "i:3")
    assert fieldsets.text(path) == '.spec[containerPort=80,protocol="TCP"].a.b/c[="x"][3]'


def test_steps_are_ordered_by_their_values() -> None:
    steps = ["v:[]", "v:true", 'v:"a"', "v:2", 'k:{"p":443}', "f:z", 'k:{"p":80}', "f:a", ".", "i:10", "i:2"]
    wanted = [".", "f:a", "f:z", 'k:{"p":80}', 'k:{"p":443}', "v:2", 'v:"a"', "v:true", "v:[]", "i:2", "i:10"]
    assert sorted(steps, key=fieldsets.rank) == wanted


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"a": {}},
        {"f:a": 1},
        {".": {"f:a": {}}},
        {"k:x": {}},
        {"k:[]": {}},
        {"x:a": {}},
        {"f:a": {"v:": {}}},
    ],
)
def test_what_is_no_field_set(wrong: Any) -> None:
    assert not fieldsets.is_valid(wrong)
