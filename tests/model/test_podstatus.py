from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from minikctl.model import podstatus

CASES = yaml.safe_load((Path(__file__).parent / "podstatus.yaml").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_shown(case: dict[str, Any]) -> None:
    pod = {
        "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"} if case.get("deleting") else {},
        "spec": {"containers": [{}] * case.get("containers", 1), "initContainers": case.get("inits")},
        "status": case["status"],
    }
    now = datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert [podstatus.ready(pod), podstatus.reason(pod), podstatus.restarts(pod, now)] == case["want"]
