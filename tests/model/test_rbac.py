"""What rules allow and cover, by pkg/apis/rbac/v1/evaluation_helpers.go and pkg/registry/rbac/validation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minikctl.model import rbac
from minikctl.model.rbac import Rule

PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
NAMED = {**PODS, "resourceNames": ["one"]}
LOGS = {"apiGroups": [""], "resources": ["*/log"], "verbs": ["get"]}
PATHS = {"nonResourceURLs": ["/healthz", "/metrics/*"], "verbs": ["get"]}


@pytest.mark.parametrize(
    ("rule", "verb", "group", "resource", "name", "want"),
    [
        (PODS, "get", "", "pods", "", True),
        (PODS, "delete", "", "pods", "", False),
        (PODS, "get", "apps", "pods", "", False),
        (PODS, "get", "", "pods/log", "", False),
        (NAMED, "get", "", "pods", "one", True),
        (NAMED, "get", "", "pods", "two", False),
        (NAMED, "list", "", "pods", "", False),
        (LOGS, "get", "", "pods/log", "x", True),
        (LOGS, "get", "", "pods/exec", "x", False),
        (LOGS, "get", "", "log", "x", False),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, "use", "x", "y/z", "", True),
        (PATHS, "get", "", "pods", "", False),
        ({}, "get", "", "pods", "", False),
    ],
)
def test_resources(rule: Rule, verb: str, group: str, resource: str, name: str, want: bool) -> None:
    assert rbac.allows(rule, verb, group, resource, name) is want


@pytest.mark.parametrize(
    ("verb", "path", "want"),
    [
        ("get", "/healthz", True),
        ("get", "/healthz/ping", False),
        ("get", "/metrics/pods", True),
        ("post", "/healthz", False),
    ],
)
def test_paths(verb: str, path: str, want: bool) -> None:
    assert rbac.allows_path(PATHS, verb, path) is want
    assert rbac.allows_path({"nonResourceURLs": ["*"], "verbs": ["*"]}, verb, path)
    assert not rbac.allows_path(PODS, verb, path)


@pytest.mark.parametrize(
    ("held", "wanted", "want"),
    [
        ([PODS], [PODS], []),
        ([PODS], [NAMED], []),
        ([NAMED], [PODS], [{**PODS, "verbs": ["get"]}, {**PODS, "verbs": ["list"]}]),
        (
            [NAMED],
            [{**NAMED, "verbs": ["get"], "resourceNames": ["one", "two"]}],
            [{**NAMED, "verbs": ["get"], "resourceNames": ["two"]}],
        ),
        ([PATHS], [PODS], [{**PODS, "verbs": ["get"]}, {**PODS, "verbs": ["list"]}]),
        ([LOGS], [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}], []),
        (
            [PATHS],
            [{"nonResourceURLs": ["/metrics/x", "/api"], "verbs": ["get"]}],
            [{"nonResourceURLs": ["/api"], "verbs": ["get"]}],
        ),
        (
            [PODS],
            [{"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["get"]}],
            [{"apiGroups": ["apps"], "resources": ["pods"], "verbs": ["get"]}],
        ),
    ],
)
def test_what_is_not_covered(held: list[Rule], wanted: list[Rule], want: list[Rule]) -> None:
    assert rbac.missing(held, wanted) == want


def test_parts_of_one_thing_are_shown_together() -> None:
    found = rbac.compact(rbac.missing([], [PODS, PATHS, {**PODS, "verbs": ["get"]}]))
    assert [rbac.shown(each) for each in found] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/healthz"], Verbs:["get"]}',
        '{NonResourceURLs:["/metrics/*"], Verbs:["get"]}',
    ]


WORDS = st.lists(st.sampled_from(["*", "a", "b"]), min_size=1, max_size=2)
RULES = st.builds(
    lambda groups, resources, verbs: {"apiGroups": groups, "resources": resources, "verbs": verbs},
    WORDS,
    WORDS,
    WORDS,
)


@given(st.lists(RULES, max_size=3), st.lists(RULES, max_size=3))
def test_who_lacks_nothing_may_do_all_that_is_wanted(held: list[Rule], wanted: list[Rule]) -> None:
    assert rbac.missing(held, held) == []
    assert rbac.missing(rbac.FULL_AUTHORITY, wanted) == []
    if rbac.missing(held, wanted):
        return
    for verb in "abc":
        for group in "abc":
            may = [any(rbac.allows(rule, verb, group, "a") for rule in rules) for rules in (held, wanted)]
            assert may[0] or not may[1]
