"""Strategic merge patches, by the cases of strategic.yaml and by laws."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import kinds, patches

CASES = yaml.safe_load((Path(__file__).parent / "strategic.yaml").read_text())
BY_NAME = {kind.kind: kind for kind in (kinds.DEPLOYMENT, kinds.POD, kinds.SERVICE)}
Object = dict[str, Any]


@pytest.mark.parametrize("case", CASES["apply"], ids=lambda case: case["name"])
def test_apply(case: Object) -> None:
    before = copy.deepcopy(case)
    kind = BY_NAME[case.get("kind", "Pod")]
    assert patches.strategic(kind, case["document"], case["patch"]) == case["outcome"]
    assert case == before


@pytest.mark.parametrize("case", CASES["refuse"], ids=lambda case: case["said"])
def test_refuse(case: Object) -> None:
    with pytest.raises(patches.PatchError) as error:
        patches.strategic(kinds.POD, case.get("document", {}), case["patch"])
    assert str(error.value) == case["said"]


@pytest.mark.parametrize("case", CASES["three_way"], ids=lambda case: case["name"])
def test_three_way(case: Object) -> None:
    kind = BY_NAME.get(case.get("kind", "Pod"))
    before = copy.deepcopy(case)
    patch = patches.three_way(case["original"], case["modified"], case["current"], kind)
    assert patch == case["patch"]
    outcome = (
        patches.strategic(kind, case["current"], patch) if kind else patches.merge(case["current"], patch)
    )
    assert outcome == case["outcome"]
    assert patches.three_way(case["modified"], case["modified"], outcome, kind) == {}
    assert case == before


PORTS = st.lists(
    st.fixed_dictionaries({"containerPort": st.integers(1, 3)}, optional={"name": st.sampled_from("xy")}),
    max_size=3,
    unique_by=lambda port: port["containerPort"],
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcd")},
        optional={
            "image": st.sampled_from("ij"),
            "ports": PORTS,
            "command": st.lists(st.sampled_from("pq"), max_size=2),
        },
    ),
    max_size=4,
    unique_by=lambda container: container["name"],
)
PODS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {},
            optional={
                "labels": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=2),
                "finalizers": st.lists(st.sampled_from("fgh"), unique=True, max_size=3),
            },
        ),
        "spec": st.fixed_dictionaries({"containers": CONTAINERS}),
    }
)


def holds(outcome: Any, wanted: Any) -> bool:
    """Tell whether the outcome has all of what is wanted, lists by their items in that order."""
    if isinstance(wanted, dict):
        return isinstance(outcome, dict) and all(
            holds(outcome.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], dict):
        rest = iter(outcome or ())
        return all(any(holds(item, each) for item in rest) for each in wanted)
    if isinstance(wanted, list):
        return outcome is not None and [value for value in outcome if value in wanted] == wanted
    return bool(outcome == wanted)


@settings(deadline=None, max_examples=60)
@given(PODS, PODS, PODS)
def test_apply_reaches_what_is_wanted_and_then_rests(
    original: Object, modified: Object, current: Object
) -> None:
    patch = patches.three_way(original, modified, current, kinds.POD)
    outcome = patches.strategic(kinds.POD, current, patch)
    assert holds(outcome, modified)
    assert patches.three_way(modified, modified, outcome, kinds.POD) == {}


@settings(deadline=None, max_examples=60)
@given(PODS, PODS)
def test_without_strangers_the_outcome_is_exact(original: Object, modified: Object) -> None:
    patch = patches.three_way(original, modified, original, kinds.POD)
    assert patches.strategic(kinds.POD, original, patch) == modified


@settings(deadline=None, max_examples=60)
@given(PODS, PODS, PODS)
def test_a_merge_patch_reaches_it_too(original: Object, modified: Object, current: Object) -> None:
    outcome = patches.merge(current, patches.three_way(original, modified, current, None))
    assert holds(outcome, modified)
    assert patches.three_way(modified, modified, outcome, None) == {}


@settings(deadline=None)
@given(PODS, PODS)
def test_a_patch_that_came_twice_changes_nothing_more(document: Object, patch: Object) -> None:
    once = patches.strategic(kinds.POD, document, patch)
    assert patches.strategic(kinds.POD, once, patch) == once


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "$patch"]), inner),
    max_leaves=4,
)
HOSTILE = [
    *("finalizers", "ownerReferences", "labels", "$patch", "$retainKeys"),
    *("$setElementOrder/finalizers", "$setElementOrder/ownerReferences", "$setElementOrder/labels"),
    *("$deleteFromPrimitiveList/finalizers", "$deleteFromPrimitiveList/labels"),
]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(HOSTILE), JSON), st.dictionaries(st.sampled_from(HOSTILE[:3]), JSON))
def test_whatever_a_patch_says_is_applied_or_refused(patch: Object, metadata: Object) -> None:
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    try:
        found = patches.strategic(kinds.CONFIG_MAP, document, {"metadata": patch})
    except patches.PatchError:
        return
    assert not any(key.startswith("$") for key in found.get("metadata") or ())


def test_long_lists_are_merged_in_no_time() -> None:
    names = [f"example.com/{number}" for number in range(30_000)]
    document = {"metadata": {"finalizers": names}}
    patch = {"metadata": {"finalizers": names[::-1], "$deleteFromPrimitiveList/finalizers": names[:10]}}
    found = patches.strategic(kinds.CONFIG_MAP, document, patch)
    assert found["metadata"]["finalizers"][:2] == names[:-3:-1]
