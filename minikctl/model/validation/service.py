"""Service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from minikctl.model import causes, metadata, names, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses, ports

AFFINITY_SECONDS = 10800
_RANGES = "spec.LoadBalancerSourceRanges"
"""Kubernetes names this field so in causes, capital L and all."""


def default(obj: Object) -> None:
    """Complete a Service: target ports, affinity, traffic policies."""
    spec = objects.spec(obj)
    for port in spec.get("ports") or ():
        if port.get("targetPort") in (None, 0, "") and "port" in port:
            port["targetPort"] = port["port"]
    if spec.get("sessionAffinity") == "ClientIP":
        config = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        config.setdefault("timeoutSeconds", AFFINITY_SECONDS)
    elif spec.get("sessionAffinity") == "None":
        spec.pop("sessionAffinityConfig", None)
    if spec.get("type") != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if externally_accessible(spec):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec.get("type") == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)


def externally_accessible(spec: dict[str, Any]) -> bool:
    """Tell whether a Service has an address outside the cluster."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def validate(obj: Object, old: Object | None) -> list[Cause]:
    """Return what is wrong with a Service."""
    spec = objects.spec(obj)
    found = [
        *_ports(spec),
        *_cluster_ip(spec),
        *_external(spec),
        *_traffic(spec),
        *metadata.labels(spec.get("selector") or {}, "spec.selector"),
    ]
    return found if old is None else [*found, *_update(spec, objects.spec(old))]


def _ports(spec: dict[str, Any]) -> Iterator[Cause]:
    found, kind = spec.get("ports") or (), spec.get("type")
    if not found and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield causes.required("spec.ports")
    for index, port in enumerate(found):
        path = f"spec.ports[{index}]"
        yield from _port(port, path, len(found) > 1)
        if port.get("nodePort") and kind == "ClusterIP":
            yield causes.forbidden(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'")
    yield from _duplicates(found)


def _duplicates(found: Sequence[dict[str, Any]]) -> Iterator[Cause]:
    """Yield each name, each (protocol, port) and each (protocol, node port) that an earlier port has."""
    seen: set[tuple[str, Any, Any]] = set()
    for index, port in enumerate(found):
        path, protocol = f"spec.ports[{index}]", port.get("protocol")
        shown = {"protocol": protocol, "port": port.get("port")}
        once = [
            (f"{path}.name", port.get("name"), ("name", "", port.get("name"))),
            (path, shown, ("port", protocol, port.get("port"))),
            (f"{path}.nodePort", port.get("nodePort"), ("nodePort", protocol, port.get("nodePort"))),
        ]
        for field, value, identity in once:
            if value and identity in seen:
                yield causes.duplicate(field, value)
            seen.add(identity)


def _port(port: dict[str, Any], path: str, name_needed: bool) -> Iterator[Cause]:
    name = port.get("name")
    if name:
        for fault in names.dns_label(name):
            yield causes.invalid(f"{path}.name", name, fault)
    elif name_needed:
        yield causes.required(f"{path}.name")
    if "targetPort" in port:
        yield from ports.reference(f"{path}.targetPort", port["targetPort"])
    if protocol := port.get("appProtocol"):
        for fault in names.qualified_name(protocol):
            yield causes.invalid(f"{path}.appProtocol", protocol, fault)


def _cluster_ip(spec: dict[str, Any]) -> Iterator[Cause]:
    kind, given, listed = spec.get("type"), spec.get("clusterIP"), spec.get("clusterIPs") or []
    if kind == "ExternalName":
        for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(field) or (field == "clusterIPs" and given):
                yield causes.forbidden(f"spec.{field}", "may not be set for ExternalName services")
        return
    if listed and listed[0] != given:
        yield causes.invalid("spec.clusterIPs[0]", listed, "first value must match `clusterIP`")
    for index, address in enumerate(listed or ([given] if given else [])):
        path = f"spec.clusterIPs[{index}]"
        if address != "None":
            for fault in addresses.ip(address):
                yield causes.invalid(path, address, fault)
        elif kind in ("NodePort", "LoadBalancer"):
            yield causes.invalid(path, address, f"may not be set to 'None' for {kind} services")


def _external(spec: dict[str, Any]) -> Iterator[Cause]:
    for index, address in enumerate(spec.get("externalIPs") or ()):
        for fault in addresses.reachable(address):
            yield causes.invalid(f"spec.externalIPs[{index}]", address, fault)
    if spec.get("type") == "ExternalName":
        name = str(spec.get("externalName") or "").removesuffix(".")
        if not name:
            yield causes.required("spec.externalName")
        else:
            for fault in names.dns_subdomain(name):
                yield causes.invalid("spec.externalName", name, fault)
    if spec.get("type") == "LoadBalancer":
        wanted = spec.get("loadBalancerClass")
        for fault in names.qualified_name(wanted) if wanted is not None else ():
            yield causes.invalid("spec.loadBalancerClass", wanted, fault)
        for index, value in enumerate(spec.get("loadBalancerSourceRanges") or ()):
            for fault in addresses.cidr(value):
                yield causes.invalid(f"{_RANGES}[{index}]", value, fault)
    else:
        paths = {
            "loadBalancerClass": "spec.loadBalancerClass",
            "loadBalancerSourceRanges": _RANGES,
            "allocateLoadBalancerNodePorts": "spec.allocateLoadBalancerNodePorts",
        }
        for field, path in paths.items():
            if field in spec:
                yield causes.forbidden(path, "may only be used when `type` is 'LoadBalancer'")


def _traffic(spec: dict[str, Any]) -> Iterator[Cause]:
    policy = spec.get("externalTrafficPolicy")
    if policy and not externally_accessible(spec):
        detail = "may only be set for externally-accessible services"
        yield causes.invalid("spec.externalTrafficPolicy", policy, detail)
    node_port = spec.get("healthCheckNodePort")
    if node_port and (spec.get("type") != "LoadBalancer" or policy != "Local"):
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield causes.invalid("spec.healthCheckNodePort", node_port, detail)


def _update(spec: dict[str, Any], old: dict[str, Any]) -> Iterator[Cause]:
    kept = "ExternalName" not in (spec.get("type"), old.get("type"))
    if kept and old.get("clusterIP") and spec.get("clusterIP") != old["clusterIP"]:
        shown = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
        yield causes.invalid("spec.clusterIPs[0]", shown, "may not change once set")
    if spec.get("type") == old.get("type") == "LoadBalancer":
        wanted, before = spec.get("loadBalancerClass"), old.get("loadBalancerClass")
        if wanted != before:
            yield causes.invalid("spec.loadBalancerClass", wanted, "may not change once set")
