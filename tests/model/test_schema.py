from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from minikctl.model import kinds, schema, structure
from minikctl.model.kinds.base import Kind


def every_kind() -> list[Any]:
    return [pytest.param(kind, id=f"{kind.api_version} {kind.kind}") for kind in kinds.ALL]


@pytest.mark.parametrize("kind", every_kind())
def test_every_kind_has_a_sound_schema(kind: Kind) -> None:
    document = schema.load(kind)
    jsonschema.Draft202012Validator.check_schema(document)
    wanted = {"group": kind.group, "kind": kind.kind, "version": kind.version}
    assert document["x-kubernetes-group-version-kind"] == [wanted]


def test_schemas_hold_no_prose_and_no_loose_ends() -> None:
    for path in structure.folder().rglob("*.json"):
        home = str(path.relative_to(structure.folder()))
        for node in walk(json.loads(path.read_text())):
            assert not isinstance(node.get("description"), str)
            if isinstance(node.get("$ref"), str):
                assert structure.resolve(node["$ref"], home)


def walk(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)


def test_an_installed_package_brings_its_schemas() -> None:
    assert structure.folder_in(Path("/nowhere")) == structure.folder()
    assert structure.folder_in(structure.folder()) == structure.folder()


def test_unknown_fields() -> None:
    container = {"imagee": "x", "resources": {"limits": {"anything": 1}}}
    pod = {
        "kind": "Pod",
        "metadata": {"managedFields": [{"fieldsV1": {"f:x": {}}}]},
        "spec": {"containers": [container]},
        "top": 1,
    }
    assert schema.unknown_fields(kinds.POD, pod) == ["spec.containers[0].imagee", "top"]
    schema.drop_unknown(kinds.POD, pod)
    assert schema.unknown_fields(kinds.POD, pod) == []
    assert "imagee" not in container


def test_the_walk_and_jsonschema_agree_on_types() -> None:
    values: list[Any] = [1, "x", True, [], None]
    for value in values:
        obj = {"spec": {"selector": {}, "template": {"spec": {"containers": value}}, "replicas": value}}
        found = schema.check(kinds.DEPLOYMENT, obj)
        assert any(cause["reason"] == "FieldValueTypeInvalid" for cause in found)
    service = {"spec": {"ports": [{"port": 1, "targetPort": 1.5}]}}
    assert schema.check(kinds.SERVICE, service)[0]["message"].endswith("must be of type integer or string")


def test_how_lists_are_merged() -> None:
    containers = schema.root(kinds.DEPLOYMENT)
    for step in ("spec", "template", "spec", "containers"):
        containers = containers.child(step) or containers
    found = schema.node_meta(containers)
    assert found == schema.ListMeta("map", ("name",), "name", frozenset({"merge"}))
    assert containers.items is not None
    ports = containers.items.child("ports")
    assert ports is not None
    assert schema.node_meta(ports).keys == ("containerPort", "protocol")
