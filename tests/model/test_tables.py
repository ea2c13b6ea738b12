from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model import kinds, tables

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
CASES = yaml.safe_load((Path(__file__).parent / "tables.yaml").read_text())
POD = {"kind": "Pod", "metadata": {"name": "a"}, "spec": {}}


@pytest.mark.parametrize(("name", "obj", "cells"), CASES)
def test_row(name: str, obj: dict[str, Any], cells: list[Any]) -> None:
    api_version, _, kind_name = name.rpartition("/")
    kind = kinds.of({"apiVersion": api_version, "kind": kind_name})
    assert kind is not None
    table = tables.render(kind, [obj], NOW)
    assert [row["cells"] for row in table["rows"]] == [cells]
    assert len(table["columnDefinitions"]) == len(cells)


def test_every_kind_has_columns() -> None:
    for kind in kinds.BUILT_IN.stored:
        definitions = tables.render(kind, [], NOW)["columnDefinitions"]
        assert [each["name"] for each in definitions if each["format"] == "name"][:1] == ["Name"]


def test_what_a_row_brings() -> None:
    brought = {
        include: tables.render(kinds.POD, [POD], NOW, include)["rows"][0].get("object")
        for include in ("Metadata", "Object", "None")
    }
    partial = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "a"}}
    assert brought == {"Metadata": partial, "Object": POD, "None": None}
