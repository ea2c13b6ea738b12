"""Refusals of custom objects, word for word; the cases are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model.custom import definition, patterns
from tests.extensions.definitions import crd

CASES = yaml.safe_load((Path(__file__).parent / "checking.yaml").read_text())


def said(causes: list[dict[str, str]]) -> list[str]:
    return [f"{each['field']}: {each['message']}" for each in causes]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_objects_are_judged(case: Any) -> None:
    shape = definition.kinds(crd(case["schema"]), None)[0].shape
    assert shape is not None
    obj = {"spec": case["spec"]}
    old = {"spec": case["old"]} if "old" in case else None
    assert said(shape.check(obj, old)) == case.get("want", [])


def test_no_pattern_keeps_the_server_busy() -> None:
    assert not patterns.matches("^(a+)+$", "a" * 100_000 + "!")
    assert patterns.matches("^(a+)+$", "a" * 100_000)


def test_patterns_are_those_of_re2() -> None:
    assert patterns.matches(r"^\pL+[[:digit:]]\z", "\u00e4b1")
    assert not patterns.matches("a$", "a\n")
    assert not patterns.matches("(?=a)", "a")
    assert patterns.fault("(?=a)") == "invalid perl operator: (?="
    assert patterns.fault("a") == ""
