"""Refusals of custom objects, word for word; the cases are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model.custom import definition
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
