"""Which address families a Service gets where there is one."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model import service_families

APP = {"app": "web"}


@pytest.mark.parametrize(
    ("spec", "policy", "families"),
    [
        ({"selector": APP}, "SingleStack", ["IPv4"]),
        ({}, "SingleStack", ["IPv4"]),
        ({"clusterIP": "10.96.0.7"}, "SingleStack", ["IPv4"]),
        ({"ipFamilyPolicy": "PreferDualStack"}, "PreferDualStack", ["IPv4"]),
        ({"ipFamilies": ["IPv4"], "clusterIP": "10.96.0.7"}, "SingleStack", ["IPv4"]),
        ({"clusterIP": "None", "selector": APP}, "SingleStack", ["IPv4"]),
        ({"clusterIP": "None"}, "RequireDualStack", ["IPv4", "IPv6"]),
        ({"clusterIP": "None", "ipFamilies": ["IPv6"]}, "RequireDualStack", ["IPv6", "IPv4"]),
        ({"clusterIP": "None", "ipFamilyPolicy": "SingleStack"}, "SingleStack", ["IPv4"]),
        (
            {"clusterIP": "None", "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]},
            "SingleStack",
            ["IPv6"],
        ),
    ],
)
def test_what_is_left_open_is_filled_in(spec: dict[str, Any], policy: str, families: list[str]) -> None:
    for _ in range(2):  # what is settled stays as it is
        assert service_families.settle(spec) == []
        assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == (policy, families)


def test_a_name_of_elsewhere_has_no_families() -> None:
    spec = {"type": "ExternalName", "externalName": "example.com"}
    assert service_families.settle(spec) == []
    assert "ipFamilies" not in spec


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"}, ["this cluster is not configured for dual-stack services"]),
        ({"ipFamilies": ["IPv6"]}, ["not configured on this cluster"]),
        (
            {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"]},
            ["this cluster is not configured for dual-stack services", "not configured on this cluster"],
        ),
        (
            {"ipFamilies": ["IPv4", "IPv6"]},
            ["must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"],
        ),
        (
            {"clusterIPs": ["10.96.0.7", "10.96.0.8"]},
            ["must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"],
        ),
        ({"clusterIP": "fd00::1"}, ["IPv6 is not configured on this cluster"]),
        (
            {"clusterIPs": ["10.96.0.7", "fd00::1"], "ipFamilyPolicy": "PreferDualStack"},
            ["IPv6 is not configured on this cluster"],
        ),
        ({"clusterIP": "None", "selector": APP, "ipFamilies": ["IPv6"]}, ["not configured on this cluster"]),
        (
            {"clusterIP": "None", "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack"},
            ["must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"],
        ),
    ],
)
def test_what_the_cluster_has_not_is_refused(spec: dict[str, Any], words: list[str]) -> None:
    before = dict(spec)
    assert [each["message"].split(": ", 2)[2] for each in service_families.settle(spec)] == words
    assert spec == before, "nothing is filled in"


def test_a_refusal_names_its_field() -> None:
    (cause,) = service_families.settle({"ipFamilies": ["IPv6"]})
    assert cause["field"] == "spec.ipFamilies[0]"
    (cause,) = service_families.settle({"clusterIPs": ["10.96.0.7", "fd00::1"], "ipFamilies": ["IPv4"],
                                        "ipFamilyPolicy": "PreferDualStack"})  # fmt: skip
    assert cause["field"] == "spec.clusterIPs[1]"
