from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model.objects import Object
from minikctl.plan.podsecurity import levels
from minikctl.plan.podsecurity.view import Finding

CASES = yaml.safe_load((Path(__file__).parent / "findings.yaml").read_text())
PREFIX = "pod-security.kubernetes.io/"


def namespace(**labels: str) -> Object:
    return {"metadata": {"name": "n", "labels": {PREFIX + k.replace("_", "-"): v for k, v in labels.items()}}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_findings(case: dict[str, Any]) -> None:
    metadata = {"annotations": case["annotations"]} if "annotations" in case else {}
    found = levels.findings(levels.Level(case["level"], "latest"), metadata, case["spec"])
    assert [str(each) for each in found] == case["want"]


def test_a_finding_without_detail_is_its_reason() -> None:
    assert str(Finding("privileged")) == "privileged"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (None, "privileged:latest"),
        (namespace(), "privileged:latest"),
        (namespace(enforce="baseline"), "baseline:latest"),
        (namespace(enforce="restricted", enforce_version="v1.30"), "restricted:v1.30"),
        (namespace(enforce="strict"), "restricted:latest"),
        (namespace(warn="baseline"), "privileged:latest"),
    ],
)
def test_levels_of_namespaces(given: Object | None, want: str) -> None:
    assert str(levels.wanted(given, "enforce")) == want


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (namespace(enforce="baseline", enforce_version="v1.30", warn_version="latest"), []),
        (
            namespace(enforce="strict"),
            ["must be one of privileged, baseline, restricted"],
        ),
        (namespace(warn_version="1.30", audit_version="v1.x"), ['must be "latest" or "v1.x"'] * 2),
    ],
)
def test_labels_that_cannot_be_read(given: Object, want: list[str]) -> None:
    found = list(levels.invalid_labels(given))
    assert [each["message"].rpartition(": ")[2] for each in found] == want
