"""Refusals of definitions, word for word; the cases are data."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model import admission, kinds
from tests.extensions.definitions import crd

CASES = yaml.safe_load((Path(__file__).parent / "crd.yaml").read_text())


def put(target: Any, path: str, value: Any) -> None:
    """Set what is at a dotted path; a number is an index, and None takes away."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        target = target[step]
    if value is None:
        del target[last]
    else:
        target[last] = value


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_definitions_are_judged(case: Any) -> None:
    definition = crd(case.get("spec"))
    if "root" in case:
        definition["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": case["root"]}
    definition["spec"]["versions"] += case.get("more") or []
    for path, value in (case.get("set") or {}).items():
        put(definition, path, value)
    old = None
    if "old" in case:
        old = copy.deepcopy(crd(case.get("spec")))
        for path, value in case["old"].items():
            put(old, path, value)
    found = admission.prepare(kinds.CUSTOM_RESOURCE_DEFINITION, definition, old)
    said = [f"{each['field']}: {each['message']}" for each in found]
    for wanted, got in zip(case.get("want", []), said, strict=True):
        assert got == wanted or (wanted.endswith("…") and got.startswith(wanted[:-1]))
