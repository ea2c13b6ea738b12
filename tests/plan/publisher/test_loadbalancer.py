"""Which Service gets which load balancer address."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.actions import api
from minikctl.plan import loadbalancer
from tests.plan.proxy.cases import service

RESERVED = frozenset({"127.0.1.1"})


def balancer(name: str, *addresses: str, created: str = "1", **spec: Any) -> Any:
    found = service(name, type="LoadBalancer", status=[{"ip": ip} for ip in addresses], **spec)
    found["metadata"]["creationTimestamp"] = created
    return found


def outcome(*services: Any, cidr: str = "127.0.1.0/29") -> tuple[dict[str, str | None], list[str]]:
    plan = loadbalancer.desired(loadbalancer.View(services, cidr, RESERVED))
    written: dict[str, str | None] = {}
    for action in plan.actions:
        if isinstance(action, api.Patch):
            assert action.subresource == "status"
            entries = action.body["status"]["loadBalancer"]["ingress"]
            written[action.name] = entries[0]["ip"] if entries else None
    return written, [action.reason for action in plan.actions if isinstance(action, api.RecordEvent)]


def test_a_new_service_gets_the_first_free_address() -> None:
    assert outcome(balancer("a", "127.0.1.2"), balancer("b")) == ({"b": "127.0.1.3"}, ["EnsuredLoadBalancer"])


def test_addresses_are_kept() -> None:
    assert outcome(balancer("a", "127.0.1.5"), balancer("b", "127.0.1.2")) == ({}, [])


@pytest.mark.parametrize("bad", [["127.0.1.1"], ["127.0.9.9"], ["127.0.1.2", "127.0.1.3"], ["name.example"]])
def test_an_address_that_cannot_be_its_own_is_replaced(bad: list[str]) -> None:
    assert outcome(balancer("a", *bad))[0] == {"a": "127.0.1.2"}


def test_of_two_with_the_same_address_the_older_keeps_it() -> None:
    young, old = balancer("a", "127.0.1.2", created="2"), balancer("b", "127.0.1.2", created="1")
    assert outcome(young, old)[0] == {"a": "127.0.1.3"}


def test_a_wished_address_is_given_if_it_is_free() -> None:
    assert outcome(balancer("a", loadBalancerIP="127.0.1.5"))[0] == {"a": "127.0.1.5"}


@pytest.mark.parametrize("wish", ["127.0.1.3", "127.0.1.1", "192.0.2.1", "nonsense"])
def test_a_wish_that_cannot_be_fulfilled_is_told(wish: str) -> None:
    found = outcome(balancer("a", "127.0.1.3"), balancer("b", loadBalancerIP=wish))
    assert found == ({"b": "127.0.1.2"}, ["AllocationFailed", "EnsuredLoadBalancer"])


def test_an_exhausted_range_is_told() -> None:
    assert outcome(balancer("a", "127.0.1.2"), balancer("b"), cidr="127.0.1.0/30") == (
        {},
        ["AllocationFailed"],
    )


def test_other_types_lose_their_address_and_other_classes_are_left_alone() -> None:
    was = balancer("a", "127.0.1.2")
    was["spec"]["type"] = "ClusterIP"
    foreign = balancer("b", "192.0.2.7", loadBalancerClass="example.com/lb")
    plain = service("c")
    assert outcome(was, foreign, plain) == ({"a": None}, [])


def test_a_service_under_deletion_gets_none() -> None:
    ending = balancer("a")
    ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert outcome(ending) == ({}, [])


def test_the_plan_after_the_plan_is_empty() -> None:
    services = [balancer("a"), balancer("b", loadBalancerIP="127.0.1.6"), balancer("c", "127.0.1.6")]
    written, _ = outcome(*services)
    for one in services:
        if one["metadata"]["name"] in written:
            one["status"]["loadBalancer"]["ingress"] = [{"ip": written[one["metadata"]["name"]]}]
    assert outcome(*services) == ({}, [])
