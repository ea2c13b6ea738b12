from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from minikctl.model.actions.api import Create, Update
from minikctl.plan import endpoints
from tests.plan import shorthand

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def view(ready: int, unready: int, present: Any = None) -> endpoints.View:
    """Return a Service with so many pods."""
    service = shorthand.expand({"service": {"name": "web"}}, NOW)
    pods = []
    for number in range(ready + unready):
        fields = {"name": f"p{number}", "ip": f"10.{number // 62500}.{number // 250}.{number % 250}"}
        pods.append(shorthand.expand({"pod": {**fields, "ready": 5 if number < ready else False}}, NOW))
    return endpoints.View(service, present, tuple(pods))


def sizes(found: endpoints.View) -> tuple[int, int, str | None]:
    """Return how many ready and unready addresses are written, and whether that is all."""
    (action,) = endpoints.desired(found, NOW).actions
    assert isinstance(action, Create | Update)
    (subset,) = action.object["subsets"]
    note = action.object["metadata"].get("annotations", {}).get(endpoints.OVER_CAPACITY)
    return len(subset.get("addresses", ())), len(subset.get("notReadyAddresses", ())), note


def test_a_thousand_addresses_fit() -> None:
    assert sizes(view(900, 100)) == (900, 100, None)


def test_of_more_the_ready_ones_stay() -> None:
    assert sizes(view(700, 301)) == (700, 300, "truncated")
    assert sizes(view(1001, 1)) == (1000, 0, "truncated")
