"""Each case of cases/*.yaml: an object, made by merge-patching the file's base, and what is said of it.

``old`` patches the base too and makes the case an update; ``become`` is merged into what ``want`` expects the
object to hold afterwards.  A wanted cause that ends with … matches any cause that begins so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model import admission, decoding, kinds, patches

Case = dict[str, Any]


def load() -> list[Any]:
    found = []
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml")):
        content = yaml.safe_load(path.read_text())
        for case in content["cases"]:
            case["base"] = content["base"]
            found.append(pytest.param(case, id=f"{path.stem}: {case['name']}"))
    return found


def contains(outcome: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(outcome, dict) and all(
            contains(outcome.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(outcome, list):
        return len(wanted) == len(outcome) and all(map(contains, outcome, wanted))
    return bool(outcome == wanted)


@pytest.mark.parametrize("case", load())
def test_case(case: Case) -> None:
    obj = patches.merge(case["base"], case.get("patch", {}))
    obj = patches.json_patch(obj, case.get("ops", []))
    kind = kinds.of(obj)
    assert kind is not None
    old = None
    if "old" in case:
        old = patches.merge(case["base"], case["old"])
        assert admission.prepare(kind, old, None) == []
    assert decoding.decode_errors(kind, obj) is None
    said = [f"{cause['field']}: {cause['message']}" for cause in admission.prepare(kind, obj, old)]
    wanted = case.get("want", [])
    shown = [
        each if not match.endswith("…") or not each.startswith(match[:-1]) else match
        for each, match in zip(said, wanted, strict=False)
    ]
    assert shown + said[len(wanted) :] == wanted
    assert contains(obj, case.get("become", {})), obj
    if not wanted:
        assert admission.prepare(kind, obj, obj) == []


def test_wrong_types_are_said_alone() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A"}, "spec": {"containers": "many"}}
    found = admission.prepare(kinds.POD, pod, None)
    assert [cause["reason"] for cause in found] == ["FieldValueTypeInvalid"]
