"""Definitions as kinds: what is filled in, kept and shown of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from minikctl.model import decoding, schema
from minikctl.model.custom import definition, formats, lifecycle, versions
from tests.extensions.definitions import crd

SIZED = {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}}
NOW = "2026-01-01T12:00:00Z"


def test_what_a_definition_does_not_say() -> None:
    found = crd()
    found["spec"]["conversion"] = {"webhook": {"clientConfig": {"service": {"name": "s"}}}}
    found["status"] = {"acceptedNames": {"kind": "Old"}}
    lifecycle.default(found)
    assert found["spec"]["conversion"] == {
        "strategy": "None",
        "webhook": {"clientConfig": {"service": {"name": "s", "port": 443}}},
    }
    assert found["spec"]["names"]["singular"] == "crontab"
    assert found["spec"]["names"]["listKind"] == "CronTabList"
    assert found["status"]["acceptedNames"] == {"kind": "Old", "singular": "old", "listKind": "OldList"}


@pytest.mark.parametrize("given", [{}, {"spec": []}, {"spec": {"names": {}}}])
def test_what_is_no_definition_is_left_for_validation(given: dict[str, Any]) -> None:
    lifecycle.default(given)
    assert given.get("spec") in (None, [], {"names": {}, "conversion": {"strategy": "None"}})


def test_versions_in_which_objects_were_kept_are_remembered() -> None:
    old = {**crd(), "status": {"storedVersions": ["v0"], "conditions": []}}
    new = crd()
    new["spec"]["versions"].append({"name": "v2", "storage": False})
    lifecycle.prepare(new, old)
    assert new["status"] == {"storedVersions": ["v0", "v1"], "conditions": []}
    lifecycle.prepare(new, new)
    assert new["status"]["storedVersions"] == ["v0", "v1"]
    fresh = crd()
    lifecycle.prepare(fresh, None)
    assert fresh["status"] == {"storedVersions": ["v1"]}


def test_deletion_is_marked_once() -> None:
    established = {"type": "Established", "status": "True"}
    found = {**crd(), "status": {"conditions": [{"type": "Terminating", "status": "False"}, established]}}
    status = lifecycle.mark(found, NOW)
    assert [each["type"] for each in status["conditions"]] == ["Established", "Terminating"]
    assert status["conditions"][1]["reason"] == "InstanceDeletionPending"
    assert lifecycle.has_condition({"status": status}, "Terminating")
    assert not lifecycle.has_condition({"status": status}, "Terminating", "False")


def two_versions() -> dict[str, Any]:
    found = crd(SIZED)
    names = {"kind": "CronTab", "singular": "crontab", "listKind": "CronTabList", "shortNames": ["ct"]}
    found["status"] = {"acceptedNames": names}
    second = {
        "name": "v2",
        "served": True,
        "storage": False,
        "deprecated": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 2}}}
                },
            }
        },
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.size",
                "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    found["spec"]["versions"] += [second, {"name": "v3", "served": False}]
    return found


def test_each_served_version_is_a_kind() -> None:
    found = definition.kinds(two_versions(), None)
    assert [each.api_version for each in found] == ["stable.example.com/v1", "stable.example.com/v2"]
    first, second = found
    assert (first.namespaced, first.short_names, first.deprecation) == (True, ("ct",), "")
    assert second.deprecation == "stable.example.com/v2 CronTab is deprecated"
    assert second.subresources == {"status", "scale"}
    assert second.scale.selector == ("status", "selector")
    assert definition.storage_kind(two_versions()).version == "v1"
    assert definition.are_several(two_versions())
    assert not definition.are_several(crd())
    assert definition.are_several({**crd(), "status": {"storedVersions": ["v0"]}})


def test_of_a_definition_that_ends_nothing_is_created() -> None:
    going = two_versions()
    going["metadata"]["deletionTimestamp"] = NOW
    assert all(
        "create" not in each.verbs and "delete" in each.verbs for each in definition.kinds(going, None)
    )


def test_a_version_without_schema_takes_anything() -> None:
    shape = definition.CustomShape({"name": "v1"})
    obj = {
        "apiVersion": "stable.example.com/v1",
        "kind": "CronTab",
        "metadata": {"name": "x"},
        "odd": {"a": [1]},
    }
    assert shape.unknown_fields(obj) == []
    assert shape.check(obj, None) == []


def test_of_the_metadata_too_unknown_fields_and_what_is_empty_go() -> None:
    kind = definition.kinds(crd(SIZED), None)[0]
    obj: dict[str, Any] = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": "x",
            "odd": 1,
            "labels": {},
            "finalizers": [],
            "annotations": {"a": "b"},
            "ownerReferences": [{"name": "o", "strange": 1}],
        },
        "spec": {},
    }
    assert schema.unknown_fields(kind, obj) == ["metadata.odd", "metadata.ownerReferences[0].strange"]
    schema.drop_unknown(kind, obj)
    schema.apply_defaults(kind, obj)
    assert obj["metadata"] == {"name": "x", "annotations": {"a": "b"}, "ownerReferences": [{"name": "o"}]}
    without: dict[str, Any] = {"spec": {}}
    schema.apply_defaults(kind, without)
    assert without == {"spec": {"size": 1}}


@pytest.mark.parametrize(
    ("meta", "fault"),
    [
        (None, None),
        ({"name": "x", "labels": {"a": "b"}}, None),
        ("x", "json: cannot unmarshal string into Go struct field ObjectMeta.metadata of type v1.ObjectMeta"),
    ],
)
def test_metadata_is_what_every_resource_has(meta: Any, fault: str | None) -> None:
    kind = definition.kinds(crd(SIZED), None)[0]
    said = f'CronTab in version "v1" cannot be handled as a CronTab: {fault}' if fault else None
    assert decoding.decode_errors(kind, {"metadata": meta}) == said


@pytest.mark.parametrize(
    ("size", "want"),
    [
        (1, []),
        (-1, ["should be a non-negative integer"]),
        (2**31, ["should be less than or equal to 2147483647"]),
        ("x", []),
        (None, []),
    ],
)
def test_replicas_are_small_whole_numbers(size: Any, want: list[str]) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    shape = definition.CustomShape({"name": "v1", "subresources": {"scale": scale}})
    obj = {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "x"}, "spec": {"size": size}, "status": 5}
    assert [each["message"].rpartition(": ")[2] for each in shape.check(obj, None)] == want


def test_versions_with_the_same_fields_differ_in_name_and_defaults() -> None:
    first, second = definition.kinds(two_versions(), None)
    same = versions.SameFields(first)
    kept = {
        "apiVersion": first.api_version,
        "kind": "CronTab",
        "metadata": {"name": "x"},
        "spec": {},
        "odd": 1,
    }
    assert same.read(first, kept) is kept
    shown = same.read(second, kept)
    assert shown == {
        "apiVersion": second.api_version,
        "kind": "CronTab",
        "metadata": {"name": "x"},
        "spec": {"size": 2},
    }
    assert "odd" in kept

    async def back() -> Any:
        await same.prepare(second, [kept])
        return await same.keep(shown)

    assert asyncio.run(back()) == {**shown, "apiVersion": first.api_version}


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("uri", ["https://x/y", "/path"], ["x", "http://[x"]),
        ("email", ["a@b.c"], ["a"]),
        ("hostname", ["a.b", "x_y.z"], ["-a", ""]),
        ("ipv4", ["10.0.0.1"], ["::1", "x"]),
        ("ipv6", ["::1"], ["10.0.0.1", "x"]),
        ("cidr", ["10.0.0.0/8", "::/0"], ["10.0.0.0", "x/1"]),
        ("mac", ["00:11:22:33:44:55", "0011.2233.4455"], ["00:11"]),
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["x"]),
        ("uuid3", ["123e4567-e89b-32d3-a456-426614174000"], ["123e4567-e89b-12d3-a456-426614174000"]),
        ("uuid4", ["123e4567-e89b-42d3-a456-426614174000"], ["x"]),
        ("hexcolor", ["#fff", "A0B1C2"], ["#ff"]),
        ("rgbcolor", ["rgb(1, 2,3)"], ["rgb(1,2)"]),
        ("byte", ["YQ==", ""], ["YQ", "%"]),
        ("date", ["2026-01-31"], ["2026-13-01"]),
        ("duration", ["1h30m", "2 days", "0"], ["x", "1"]),
        ("date-time", ["2026-01-01T00:00:00Z", "2026-01-01t00:00:00z"], ["2026-01-01", "x"]),
        ("k8s-short-name", ["a-b"], ["A", "a.b"]),
        ("k8s-long-name", ["a.b"], ["A"]),
    ],
)
def test_formats(format: str, good: list[str], bad: list[str]) -> None:
    check = formats.CHECKS[format]
    assert [text for text in good if not check(text)] == []
    assert [text for text in bad if check(text)] == []
