"""What is known of expressions before they are evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.admitting import typecheck


def warned(*sources: str, groups: str = "apps", resources: str = "deployments") -> list[dict[str, str]]:
    rule = {
        "apiGroups": [groups],
        "apiVersions": ["v1"],
        "operations": ["*"],
        "resources": resources.split(","),
    }
    spec: dict[str, Any] = {"matchConstraints": {"resourceRules": [rule]}}
    spec["validations"] = [{"expression": each} for each in sources]
    return typecheck.warnings({"spec": spec})


def test_a_field_that_is_not_there_is_shown_where_it_stands() -> None:
    assert warned("object.replicas > 1") == [
        {
            "fieldRef": "spec.validations[0].expression",
            "warning": "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n"
            " | object.replicas > 1\n"
            " | ......^",
        }
    ]
    later = warned("true", "object.spec.replicas > 1 &&\n oldObject.spec.nope")[0]
    assert later["fieldRef"] == "spec.validations[1].expression"
    assert later["warning"].endswith(
        "<input>:2:16: undefined field 'nope'\n |  oldObject.spec.nope\n | ...............^"
    )


@pytest.mark.parametrize(
    "source",
    [
        "object.spec.replicas > 1",
        "object.metadata.labels.anything == 'object.nope'",
        "object.metadata.labels['a'].size() > 1",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('x'))",
        "object.spec.template.spec.containers[0].image == 'x'",
        "object.metadata.name.startsWith('a') || variables.object.nope",
        "object.?spec.?replicas.orValue(1) == 1",
    ],
)
def test_what_is_there_or_cannot_be_known_is_not_warned_of(source: str) -> None:
    assert warned(source) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("object.spec.template.spec.containers[0].imag == 'x'", "imag"),
        ("object.?spec.?foo.hasValue()", "foo"),
        ("has(object.spec.foo)", "foo"),
    ],
)
def test_fields_are_followed_through_lists(source: str, name: str) -> None:
    assert f"undefined field '{name}'" in warned(source)[0]["warning"]


def test_every_kind_that_is_named_is_looked_at() -> None:
    found = warned("object.spec.replicas > 1", resources="daemonsets,deployments")
    assert [each["warning"].partition(":")[0] for each in found] == ["apps/v1, Kind=DaemonSet"]
    assert warned("object.nope", groups="*") == []
    assert typecheck.warnings({"spec": {}}) == []


def test_a_map_of_anything_ends_what_is_known() -> None:
    source = "object.spec.template.metadata.annotations['a'].b.c == 1"
    assert warned(source) == []
    assert warned("object.spec.replicas[0].x") == []
