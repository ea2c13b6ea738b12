"""Endpoints: the older form of EndpointSlices, one object per Service, kept for those who still read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Create, Delete, Plan, Update
from minikctl.model.objects import Object
from minikctl.plan import readiness, service_ports

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
CONTROLLER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000
_NO_PORT = ""
_OWN_LABELS = (MANAGED_BY, service_ports.HEADLESS)

Subset = dict[str, Any]


@dataclass(frozen=True)
class View:
    """A Service (None: it is gone) with the pods that it selects, and its Endpoints."""

    service: Object | None
    endpoints: Object | None
    pods: tuple[Object, ...] = ()

    @property
    def object(self) -> Object:
        """Return the object that the plan is about."""
        return self.service or self.endpoints or {}


def desired(view: View, now: datetime) -> Plan:  # noqa: ARG001 - every planner is asked with the time
    """Return the one write that makes the Endpoints right, if they are not."""
    service, present = view.service, view.endpoints
    if service is None:
        return Plan(() if present is None or not _is_ours(present) else (_deletion(present),))
    if objects.is_deleting(service) or not service_ports.selects_pods(service):
        return Plan()
    subsets = _subsets(service, view.pods)
    subsets, truncated = _truncated(subsets)
    if present is None:
        return Plan((Create(kinds.ENDPOINTS, _completed({}, service, subsets, truncated)),))
    wanted = _completed(present, service, subsets, truncated)
    return Plan(() if wanted == present else (Update(kinds.ENDPOINTS, wanted),))


def _is_ours(present: Object) -> bool:
    return objects.labels(present).get(MANAGED_BY) == CONTROLLER


def _deletion(present: Object) -> Delete:
    return Delete(kinds.ENDPOINTS, *objects.key(present), objects.uid(present))


def _completed(present: Object, service: Object, subsets: list[Subset], truncated: bool) -> Object:
    labels = {key: value for key, value in objects.labels(service).items() if key not in _OWN_LABELS}
    labels[MANAGED_BY] = CONTROLLER
    if service_ports.is_headless(service):
        labels[service_ports.HEADLESS] = ""
    notes = {key: value for key, value in objects.annotations(present).items() if key != OVER_CAPACITY}
    if truncated:
        notes[OVER_CAPACITY] = "truncated"
    namespace, name = objects.key(service)
    metadata = {**objects.meta(present), "name": name, "namespace": namespace, "labels": labels}
    metadata.pop("annotations", None)
    if notes:
        metadata["annotations"] = notes
    body = {name: value for name, value in present.items() if name not in ("metadata", "subsets")}
    if subsets:
        body["subsets"] = subsets
    return {**body, "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}


def _subsets(service: Object, pods: tuple[Object, ...]) -> list[Subset]:
    """Return each set of addresses once, with all the ports that it serves."""
    unready = service_ports.publishes_unready(service)
    by_port: dict[str, dict[str, bool]] = {}
    for pod in pods:
        if not service_ports.has_endpoint(pod, terminating=unready):
            continue
        address = _address(service, pod)
        ports = service_ports.ports(service, pod)
        if address is None or (not ports and objects.spec(service).get("ports")):
            continue
        ready = unready or readiness.is_ready(pod)
        for port in [json.dumps(port, sort_keys=True) for port in ports] or [_NO_PORT]:
            by_port.setdefault(port, {})[address] = ready
    return _packed(by_port)


def _address(service: Object, pod: Object) -> str | None:
    found = service_ports.addresses(pod, service_ports.families(service)[0])
    if not found:
        return None
    address: dict[str, Any] = {"ip": found[0], "targetRef": service_ports.pod_reference(pod)}
    if objects.spec(pod).get("nodeName"):
        address["nodeName"] = objects.spec(pod)["nodeName"]
    name = service_ports.hostname(pod, service)
    if name:
        address["hostname"] = name
    return json.dumps(address, sort_keys=True)


def _packed(by_port: dict[str, dict[str, bool]]) -> list[Subset]:
    ports_of: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for port, addresses in by_port.items():
        ports_of.setdefault(tuple(sorted(addresses.items())), []).append(port)
    subsets = [_subset(dict(found), ports) for found, ports in ports_of.items()]
    return sorted(subsets, key=lambda each: json.dumps(each, sort_keys=True))


def _subset(readiness_of: dict[str, bool], ports: list[str]) -> Subset:
    subset: Subset = {}
    for field, wanted in (("addresses", True), ("notReadyAddresses", False)):
        found = [json.loads(text) for text, ready in readiness_of.items() if ready is wanted]
        if found:
            subset[field] = sorted(found, key=lambda each: (each["ip"], each["targetRef"]["uid"]))
    known = [json.loads(port) for port in sorted(ports) if port != _NO_PORT]
    if known:
        subset["ports"] = [_without_empty_name(port) for port in known]
    return subset


def _without_empty_name(port: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in port.items() if name != "name" or value}


def _truncated(subsets: list[Subset]) -> tuple[list[Subset], bool]:
    """Return the subsets with at most 1000 addresses, ready ones first, and whether any was left out."""
    total = sum(len(each.get(field, ())) for each in subsets for field in ("addresses", "notReadyAddresses"))
    if total <= MAX_ADDRESSES:
        return subsets, False
    room = MAX_ADDRESSES
    kept: list[Subset] = [
        {name: value for name, value in each.items() if name == "ports"} for each in subsets
    ]
    for field in ("addresses", "notReadyAddresses"):
        for each, shortened in zip(subsets, kept, strict=True):
            found = each.get(field, ())[:room]
            room -= len(found)
            if found:
                shortened[field] = found
    return [each for each in kept if each.keys() - {"ports"}], True
