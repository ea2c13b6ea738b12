from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from minikctl.model.actions.api import Create, RecordEvent
from minikctl.plan import endpointslicemirroring
from tests.plan import cases
from tests.plan.planners import MIRRORING

CASES = cases.load(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES)
def test_case(case: cases.Case) -> None:
    cases.check_case(MIRRORING, case)


@pytest.mark.parametrize("case", CASES)
def test_laws(case: cases.Case) -> None:
    cases.check_laws(MIRRORING, case)


def test_of_a_subset_a_thousand_addresses_are_mirrored() -> None:
    addresses = [{"ip": f"10.0.{number // 250}.{number % 250 + 1}"} for number in range(1003)]
    meta = {"namespace": "default", "name": "web", "uid": "e1"}
    found = endpointslicemirroring.desired(
        endpointslicemirroring.View(
            {"metadata": meta, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]},
            {"metadata": meta, "spec": {}},
        ),
        datetime(2026, 1, 1, tzinfo=UTC),
    )
    create, event = found.actions
    assert isinstance(create, Create)
    assert isinstance(event, RecordEvent)
    assert len(create.object["endpoints"]) == 1000
    assert event.message.endswith("3 addresses were skipped")
