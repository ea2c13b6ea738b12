"""Literals of objects, rewritten as maps."""

from __future__ import annotations

import pytest

from minikctl.model.cel import literals
from minikctl.model.cel.engine import CompileError


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("1 + 1", "1 + 1"),
        ("Object{}", "{}"),
        ("Object{spec: Object.spec{replicas: 3}}", '{"spec": {"replicas": 3}}'),
        ("Object {spec: Object . spec {a: 1, b: [1, 2], c: f(1, 2)}}", ' {"spec":  {"a": 1, "b": [1, 2], "c": f(1, 2)}}'),
        ("Object{spec: Object.spec{containers: [Object.spec.containers{name: 'a'}]}}", '{"spec": {"containers": [{"name": \'a\'}]}}'),
        ("Object{metadata: Object.metadata{labels: {'a': object.metadata.name, \"b\": x}}}", '{"metadata": {"labels": {\'a\': object.metadata.name, "b": x}}}'),
        ("Object{?spec: x}", '{?"spec": x}'),
        ("Object{a: x ? Object.a{b: 1} : Object.a{b: 2}, c: 'Object{d: 1}'}", '{"a": x ? {"b": 1} : {"b": 2}, "c": \'Object{d: 1}\'}'),
        ("[JSONPatch{op: 'add', path: '/spec/x', value: Object.spec.x{y: 1}}]", '[{"op": \'add\', "path": \'/spec/x\', "value": {"y": 1}}]'),
        ("object.Object.spec", "object.Object.spec"),
        ("Object{__namespace__: 1, a__dash__b: 2, x__underscores__y: 3}", '{"namespace": 1, "a-b": 2, "x__y": 3}'),
        ("Object{a: 1} // Object{b", '{"a": 1} // Object{b'),
        ("}", "}"),
    ],
)  # fmt: skip
def test_a_literal_becomes_a_map(source: str, wanted: str) -> None:
    assert literals.as_maps(source) == wanted


@pytest.mark.parametrize(
    "source", ["Object{spec: Object.wrong{}}", "Object{spec: Object.spec{a: [Object.spec.b{}]}}"]
)
def test_a_type_at_another_place_is_refused(source: str) -> None:
    with pytest.raises(CompileError, match="type mismatch"):
        literals.as_maps(source)
