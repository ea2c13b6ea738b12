"""What is told to whoever writes a Service, without refusing it (Kubernetes' pkg/api/service/warnings.go)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from minikctl.model import objects
from minikctl.model.objects import Object

HINTS = "service.kubernetes.io/topology-aware-hints"
MODE = "service.kubernetes.io/topology-mode"


def warnings(service: Object) -> Iterator[str]:
    """Yield Kubernetes' warnings in its order, then what has no effect here; the Service is a valid one."""
    spec, annotations = objects.spec(service), objects.annotations(service)
    if HINTS in annotations:
        yield f"annotation {HINTS} is deprecated, please use {MODE} instead"
    headless = spec.get("type") == "ClusterIP" and spec.get("clusterIP") == "None"
    if headless:
        yield from _headless(spec)
    elif spec.get("externalIPs") and spec.get("type") != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    for index, value in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from _ambiguous(f"spec.loadBalancerSourceRanges[{index}]", value)
    yield from _by_type(spec)
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'
    for name in (MODE, HINTS):
        if annotations.get(name, "").lower() == "auto":
            yield f"annotation {name} has no effect in minikctl: use spec.trafficDistribution"


def _headless(spec: dict[str, Any]) -> Iterator[str]:
    if spec.get("loadBalancerIP"):
        yield "spec.loadBalancerIP is ignored for headless services"
    if spec.get("externalIPs"):
        yield "spec.externalIPs is ignored for headless services"
    if spec.get("sessionAffinity", "None") != "None":
        yield "spec.SessionAffinity is ignored for headless services"


def _by_type(spec: dict[str, Any]) -> Iterator[str]:
    external = spec.get("type") == "ExternalName"
    if external and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if not external and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'


def _ambiguous(path: str, value: str) -> Iterator[str]:
    """Yield what is said of a range with bits beyond its length."""
    found = ipaddress.ip_interface(value.strip())
    if found.ip != found.network.network_address:
        either = f'"{found.network}" or "{found.ip}/{found.max_prefixlen}"'
        yield f'{path}: CIDR value "{value}" is ambiguous in this context (should be {either}?)'
