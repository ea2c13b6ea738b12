"""What is told about Services, in Kubernetes' words."""

from __future__ import annotations

from typing import Any

import pytest

from minikctl.model.validation.service_warnings import HINTS, MODE, warnings

AMBIGUOUS = (
    'spec.loadBalancerSourceRanges[1]: CIDR value " 10.0.0.1/8" is ambiguous in this context'
    ' (should be "10.0.0.0/8" or "10.0.0.1/32"?)'
)
IGNORED = "is ignored for headless services"
HEADLESS = {"type": "ClusterIP", "clusterIP": "None"}
OUTSIDE = {"externalIPs": ["192.0.2.1"]}


@pytest.mark.parametrize(
    ("spec", "annotations", "told"),
    [
        ({"type": "ClusterIP", "sessionAffinity": "ClientIP"}, {}, []),
        ({**HEADLESS, "sessionAffinity": "None"}, {MODE: "Disabled"}, []),
        (
            {**HEADLESS, **OUTSIDE, "loadBalancerIP": "192.0.2.2", "sessionAffinity": "ClientIP"},
            {},
            [f"spec.{each} {IGNORED}" for each in ("loadBalancerIP", "externalIPs", "SessionAffinity")],
        ),
        (
            {"type": "NodePort", **OUTSIDE},
            {},
            ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"],
        ),
        (
            {"type": "ExternalName", "externalName": "web.example", **OUTSIDE},
            {},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        (
            {"type": "ClusterIP", "externalName": "web.example", "trafficDistribution": "PreferClose"},
            {},
            [
                'spec.externalName is ignored when spec.type is not "ExternalName"',
                'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
            ],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8", " 10.0.0.1/8"]},
            {},
            [AMBIGUOUS],
        ),
        (
            {"type": "ClusterIP"},
            {HINTS: "auto"},
            [
                f"annotation {HINTS} is deprecated, please use {MODE} instead",
                f"annotation {HINTS} has no effect in minikctl: use spec.trafficDistribution",
            ],
        ),
    ],
)
def test_what_is_told(spec: Any, annotations: Any, told: list[str]) -> None:
    assert list(warnings({"metadata": {"annotations": annotations}, "spec": spec})) == told
