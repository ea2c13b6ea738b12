from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikctl.model import names


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (names.dns_label, ["a", "1-a", "a" * 63], ["", "A", "a.b", "a-", "a" * 64, "ä", "a\n"]),
        (names.dns_subdomain, ["a.b-c.1", "a" * 253], ["a..b", ".a", "a" * 254, "a_b"]),
        (names.dns_1035_label, ["a1"], ["1a", "a.b"]),
        (names.wildcard_subdomain, ["*.a.b"], ["*", "a.*.b", "*a.b"]),
        (names.qualified_name, ["a", "A_b.c", "x.io/A"], ["", "/a", "x.io/", "X/a", "a/b/c", "-a", "a" * 64]),
        (names.label_value, ["", "A_b.c"], ["-", "a b", "a" * 64]),
        (names.path_segment, ["a:b", "..."], [".", "..", "a/b", "a%"]),
        (names.config_key, ["a", "-", ".a", "a..b"], ["", ".", "..", "..a", "a b", "a" * 254]),
        (names.environment_name, ["A", "a.b c"], ["", "a=b", "ä", "a\n"]),
        (names.port_name, ["http", "a-1"], ["", "1", "A", "a--b", "-a", "a" * 16]),
    ],
)
def test_rules(rule: names.Rule, good: list[str], bad: list[str]) -> None:
    assert {value: rule(value) for value in good} == {value: [] for value in good}
    assert [value for value in bad if not rule(value)] == []


def test_generated() -> None:
    assert names.generated("web-", [0, 26, 27, 1, 2]) == "web-b9bcd"
    assert len(names.generated("a" * 80, [0] * 5)) == 63


def test_template_hash() -> None:
    template: dict[str, Any] = {"spec": {"containers": []}, "metadata": {}}
    same: dict[str, Any] = {"metadata": {}, "spec": {"containers": []}}
    assert names.template_hash(template) == names.template_hash(same)
    assert (
        names.template_hash(template) != names.template_hash(template, 0) != names.template_hash(template, 1)
    )
    assert names.template_hash({}) == names.encoded(names.fnv1a(b"{}"))
    assert names.fnv1a(b"") == 0x811C9DC5
    assert names.fnv1a(b"foobar") == 0xBF9CF968


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=70))
def test_a_label_is_a_subdomain_and_a_label_value(text: str) -> None:
    if not names.dns_label(text):
        assert not names.dns_subdomain(text)
        assert not names.label_value(text)
        assert not names.qualified_name(text)
