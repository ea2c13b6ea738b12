"""ServiceCIDRs: ready while they can be used, held while they are needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from minikctl.model.actions.api import Plan, Update
from minikctl.plan import service_cidr
from minikctl.plan.service_cidr import FINALIZER, View

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RESERVED = ("10.1.0.0/20", "127.0.1.0/24")


def cidr(name: str, *ranges: str, held: bool = True, going: bool = False, ready: str = "") -> Any:
    metadata: dict[str, Any] = {"name": name, "finalizers": ["users.example/own"]}
    metadata["finalizers"] += [FINALIZER] if held else []
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"conditions": [{"type": "Ready", "status": ready}]} if ready else {}
    return {"metadata": metadata, "spec": {"cidrs": list(ranges)}, "status": status}


def plan(obj: Any, *others: Any, addresses: tuple[str, ...] = ()) -> Plan:
    return service_cidr.desired(View(obj, others, addresses, RESERVED), NOW)


def condition(found: Plan) -> tuple[str, str, str]:
    assert found.status is not None
    (ready,) = found.status["conditions"]
    return ready["status"], ready["reason"], ready["message"]


def test_it_is_held_first_and_then_ready() -> None:
    (action,) = plan(cidr("more", "10.112.0.0/24", held=False)).actions
    assert isinstance(action, Update)
    assert action.object["metadata"]["finalizers"] == ["users.example/own", FINALIZER]
    assert condition(plan(cidr("more", "10.112.0.0/24"))) == ("True", "", "Kubernetes Service CIDR is ready")


@pytest.mark.parametrize(
    ("ranges", "words"),
    [
        (("10.0.0.0/8",), "10.0.0.0/8 overlaps 10.1.0.0/20, which this cluster uses for something else"),
        (("127.0.0.0/8",), "127.0.0.0/8 overlaps 127.0.1.0/24, which this cluster uses for something else"),
        (("2001:db8::/64",), "minikctl gives Services IPv4 addresses only"),
    ],
)
def test_what_cannot_be_routed_is_not_ready(ranges: tuple[str, ...], words: str) -> None:
    assert condition(plan(cidr("wrong", *ranges))) == ("False", "Unusable", words)


@pytest.mark.parametrize(
    ("others", "addresses"),
    [
        ((), ("10.96.0.9",)),
        ((cidr("above", "10.112.0.0/16"),), ("10.112.0.9",)),
        ((cidr("below", "10.112.0.0/28"),), ("10.112.0.9",)),
        ((cidr("above", "10.112.0.0/16", going=True),), ()),
    ],
)
def test_it_goes_when_no_address_needs_it(others: Any, addresses: tuple[str, ...]) -> None:
    (action,) = plan(cidr("more", "10.112.0.0/24", going=True), *others, addresses=addresses).actions
    assert action.object["metadata"]["finalizers"] == ["users.example/own"]


def test_it_stays_while_an_address_is_in_no_other() -> None:
    others = (cidr("below", "10.112.0.0/28"), cidr("gone", "10.112.0.0/16", going=True))
    found = plan(cidr("more", "10.112.0.0/24", going=True), *others, addresses=("10.112.0.77",))
    assert condition(found)[:2] == ("False", "Terminating")
    assert plan(cidr("more", "10.112.0.0/24", held=False, going=True)) == Plan()


def test_addresses_are_taken_while_it_is_ready() -> None:
    assert service_cidr.is_ready(cidr("more", "10.112.0.0/24", ready="True"))
    assert not service_cidr.is_ready(cidr("more", "10.112.0.0/24", ready="True", going=True))
    assert not service_cidr.is_ready(cidr("more", "10.112.0.0/24"))


def test_routes_are_to_usable_ranges_without_those_within_others() -> None:
    found = [
        cidr("within", "10.96.1.0/24"),
        cidr("more", "10.112.0.0/24", "2001:db8::/64"),
        cidr("same", "10.112.0.0/24"),
        cidr("wrong", "10.1.0.0/24"),
    ]
    assert service_cidr.routed(found, "10.96.0.0/16", RESERVED) == ("10.96.0.0/16", "10.112.0.0/24")
