"""What mutations make of objects."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import kinds
from minikctl.model.admitting import mutation

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"a": "b"}},
    "spec": {"containers": [{"name": "app", "image": "x"}], "nodeSelector": {"disk": "ssd"}},
}
VALUES = {"object": POD, "oldObject": None, "request": {}, "authorizer": {}, "namespaceObject": None}


def policy(*mutations: tuple[str, str], **spec: Any) -> dict[str, Any]:
    made = []
    for type, expression in mutations:
        part = "jsonPatch" if type == "JSONPatch" else "applyConfiguration"
        made.append({"patchType": type, part: {"expression": expression}})
    return {"spec": {"mutations": made, **spec}}


def apply(source: str) -> dict[str, Any]:
    return mutation.mutated(policy(("ApplyConfiguration", source)), VALUES, kinds.POD)


def patch(source: str) -> dict[str, Any]:
    return mutation.mutated(policy(("JSONPatch", source)), VALUES, kinds.POD)


def test_a_configuration_is_merged() -> None:
    made = apply(
        "Object{metadata: Object.metadata{labels: {'c': object.metadata.name}}, "
        "spec: Object.spec{containers: [Object.spec.containers{name: 'side', image: 'y'}]}}"
    )
    assert made["metadata"]["labels"] == {"a": "b", "c": "web"}
    assert sorted(each["name"] for each in made["spec"]["containers"]) == ["app", "side"]
    assert POD["metadata"]["labels"] == {"a": "b"}


def test_a_patch_is_applied_unless_its_test_fails() -> None:
    made = patch("[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x/y'), value: 'z'}]")
    assert made["metadata"]["labels"]["x/y"] == "z"
    tested = (
        "[JSONPatch{op: 'test', path: '/metadata/name', value: 'no'}, JSONPatch{op: 'remove', path: '/spec'}]"
    )
    assert patch(tested) == POD


def test_mutations_follow_one_another() -> None:
    given = policy(
        ("JSONPatch", "[JSONPatch{op: 'add', path: '/metadata/labels/n', value: variables.name}]"),
        ("ApplyConfiguration", "Object{metadata: Object.metadata{labels: {'m': object.metadata.labels.n}}}"),
        variables=[{"name": "name", "expression": "object.metadata.name + '!'"}],
    )
    assert mutation.mutated(given, VALUES, kinds.POD)["metadata"]["labels"] == {
        "a": "b",
        "n": "web!",
        "m": "web!",
    }


@pytest.mark.parametrize(
    ("type", "source", "said"),
    [
        ("ApplyConfiguration", "Object{spec: object.nope}", "expression 'Object{spec: object.nope}' resulted in error: no such key: nope"),
        ("ApplyConfiguration", "Object{", "resulted in error: compilation error: ERROR"),
        ("ApplyConfiguration", "Object{spec: Object.wrong{}}", "type mismatch"),
        ("ApplyConfiguration", "1", "invalid return type: int"),
        ("ApplyConfiguration", "Object{spec: Object.spec{nope: 1}}", "failed to convert patch object to typed object: .spec.nope: field not declared in schema"),
        ("ApplyConfiguration", "Object{spec: Object.spec{nodeSelector: {'a': 'b'}}}", "may not mutate atomic arrays, maps or structs: .spec.nodeSelector"),
        ("ApplyConfiguration", "Object{spec: Object.spec{containers: [Object.spec.containers{name: 'app', command: ['x']}]}}", "may not mutate atomic arrays, maps or structs: .spec.containers[name=\"app\"].command"),
        ("JSONPatch", "1", "should evaluate to array"),
        ("JSONPatch", "[JSONPatch{op: 'remove', path: '/nope'}]", "JSONPath: "),
        ("JSONPatch", "[JSONPatch{op: 'replace', path: '', value: 1}]", "JSONPath: the outcome is not an object"),
    ],
)  # fmt: skip
def test_what_has_no_outcome_is_said(type: str, source: str, said: str) -> None:
    with pytest.raises(mutation.Failed) as raised:
        mutation.mutated(policy((type, source)), VALUES, kinds.POD)
    assert said in str(raised.value)
    ignoring = policy((type, source), failurePolicy="Ignore")
    assert mutation.mutated(ignoring, VALUES, kinds.POD) == POD


def test_conditions_hold_or_fail() -> None:
    def holds(source: str, **spec: Any) -> bool:
        return mutation.holds(policy(matchConditions=[{"name": "c", "expression": source}], **spec), VALUES)

    assert holds("object.metadata.name == 'web'")
    assert not holds("false")
    assert not holds("object.nope", failurePolicy="Ignore")
    with pytest.raises(mutation.Failed, match="no such key: nope"):
        holds("object.nope")
