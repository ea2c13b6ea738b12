"""The JSONPaths of definitions, and the columns that show what they select."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from minikctl.model.custom import columns, paths

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
OBJECT: dict[str, Any] = {
    "metadata": {"name": "x", "creationTimestamp": "2026-01-01T11:00:00Z", "labels": {"app.io/name": "n"}},
    "spec": {
        "size": 3,
        "ratio": 1.5,
        "on": True,
        "off": None,
        "list": [{"name": "a", "ok": True}, {"name": "b", "ok": False}],
        "map": {"k": "v"},
    },
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "want"),
    [
        (".spec.size", [3]),
        (".spec['size']", [3]),
        ('.spec["size"]', [3]),
        (".spec.none.deeper", []),
        (".metadata.labels.app\\.io/name", ["n"]),
        (".metadata.labels['app.io/name']", ["n"]),
        (".spec.list[0].name", ["a"]),
        (".spec.list[-1].name", ["b"]),
        (".spec.list[7].name", []),
        (".spec.size[0]", []),
        (".spec.list[*].name", ["a", "b"]),
        (".spec.map[*]", ["v"]),
        (".spec.map.*", ["v"]),
        (".spec.list.*.name", ["a", "b"]),
        (".spec.size.*", []),
        (".spec.map[0]", []),
        ("..name", ["x", "a", "b"]),
        ("..type", ["Ready", "Other"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type != 'Ready')].status", ["False"]),
        (".spec.list[?(@.ok==true)].name", ["a"]),
        (".spec.list['name']", []),
    ],
)
def test_selected(path: str, want: list[Any]) -> None:
    assert paths.find(OBJECT, path) == want


@pytest.mark.parametrize("path", ["spec", ".spec[", ".spec[?(@.x)]", ".spec..", "."])
def test_no_paths(path: str) -> None:
    with pytest.raises(paths.BadPath):
        paths.parse(path)


def test_fields_alone() -> None:
    assert paths.fields(".spec.a\\.b['c']") == ("spec", "a.b", "c")
    with pytest.raises(paths.BadPath):
        paths.fields(".spec.list[0]")


@pytest.mark.parametrize(
    ("path", "type", "want"),
    [
        (".spec.size", "integer", 3),
        (".spec.ratio", "integer", 1),
        (".spec.on", "integer", None),
        (".spec.ratio", "number", 1.5),
        (".spec.on", "number", None),
        (".spec.on", "boolean", True),
        (".spec.size", "boolean", None),
        (".metadata.name", "string", "x"),
        (".spec.map", "string", '{"k":"v"}'),
        (".spec.on", "string", "true"),
        (".spec.off", "string", None),
        (".spec.none", "string", None),
        (".spec[", "string", None),
        (".spec.size", "colour", None),
        (".metadata.creationTimestamp", "date", "60m"),
        (".metadata.name", "date", "<invalid>"),
        (".spec.size", "date", None),
    ],
)
def test_cells(path: str, type: str, want: Any) -> None:
    given = {"name": "Shown", "type": type, "jsonPath": path, "priority": 1}
    found = columns.of({"additionalPrinterColumns": [given]})
    assert [each.name for each in found] == ["Name", "Shown"]
    assert found[1].priority == 1
    shown = found[1].cell(OBJECT, NOW)
    assert (shown, type_of(shown)) == (want, type_of(want))


def type_of(value: Any) -> str:
    return type(value).__name__


def test_without_columns_the_age_is_shown() -> None:
    found = columns.of({})
    assert [each.name for each in found] == ["Name", "Age"]
    assert found[1].cell(OBJECT, NOW) == "60m"


@pytest.mark.parametrize(
    ("path", "want"), [(".spec.size", "3"), (".spec.on", "true"), (".spec.off", ""), (".spec.none", "")]
)
def test_selectable_fields(path: str, want: str) -> None:
    found = columns.selectable({"selectableFields": [{"jsonPath": path}]})
    assert {name: read(OBJECT) for name, read in found.items()} == {path[1:]: want}
