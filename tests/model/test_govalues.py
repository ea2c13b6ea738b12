"""Values as Go's programs name and write them."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import govalues


@pytest.mark.parametrize(
    ("value", "kind", "shown", "syntax"),
    [
        (None, "<nil>", "<nil>", "interface {}(nil)"),
        (True, "bool", "true", "true"),
        (7, "int64", "7", "7"),
        (1.5, "float64", "1.5", "1.5"),
        (3.0, "float64", "3", "3"),
        (1e21, "float64", "1e+21", "1e+21"),
        (-1500000.0, "float64", "-1.5e+06", "-1.5e+06"),
        (0.00001, "float64", "1e-05", "1e-05"),
        ("a b", "string", "a b", '"a b"'),
        ([1, None], "[]interface {}", "[1 <nil>]", "[]interface {}{1, interface {}(nil)}"),
        (
            {"b": False, "a": [{}]},
            "map[string]interface {}",
            "map[a:[map[]] b:false]",
            'map[string]interface {}{"a":[]interface {}{map[string]interface {}{}}, "b":false}',
        ),
    ],
)
def test_values(value: Any, kind: str, shown: str, syntax: str) -> None:
    assert govalues.kind(value) == kind
    assert govalues.shown(value) == shown
    assert govalues.syntax(value) == syntax
