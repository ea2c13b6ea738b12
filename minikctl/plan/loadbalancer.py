"""Load balancer addresses: each LoadBalancer Service gets one of the cluster's loopback addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from minikctl.model import kinds, objects
from minikctl.model.actions import api

COMPONENT = "service-controller"


@dataclass(frozen=True)
class View:
    """All Services and the range to give addresses from; ``reserved`` are not given away."""

    services: tuple[objects.Object, ...]
    range: str
    reserved: frozenset[str]


def desired(view: View) -> api.Plan:
    """Return the status changes after which exactly the LoadBalancer Services of ours have an address.

    An address that a Service has is kept; of two that claim the same, the older Service keeps it.
    """
    services = sorted(view.services, key=_seniority)
    taken: set[str] = set(view.reserved)
    served: set[objects.Key] = set()
    for service in filter(is_ours, services):
        listed = addresses(service)
        if len(listed) == 1 and listed[0] not in taken and _within(listed[0], view.range):
            taken.add(listed[0])
            served.add(objects.key(service))
    actions: list[api.ApiAction] = []
    for service in services:
        if not is_ours(service):
            actions += _released(service)
        elif objects.key(service) not in served:
            actions += _allocated(service, view.range, taken)
    return api.Plan(actions=tuple(actions))


def _seniority(service: objects.Object) -> tuple[str, objects.Key]:
    return str(objects.meta(service).get("creationTimestamp") or ""), objects.key(service)


def is_ours(service: objects.Object) -> bool:
    """Tell whether the Service gets its address from us: one with a loadBalancerClass belongs to another."""
    spec = objects.spec(service)
    wants = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
    return wants and not objects.is_deleting(service)


def _released(service: objects.Object) -> Iterator[api.ApiAction]:
    # One of another class is left alone: its status is its own controller's.
    if addresses(service) and objects.spec(service).get("type") != "LoadBalancer":
        yield _patch(service, None)


def _allocated(service: objects.Object, cidr: str, taken: set[str]) -> Iterator[api.ApiAction]:
    wanted = str(objects.spec(service).get("loadBalancerIP") or "")
    if wanted and (wanted in taken or not _within(wanted, cidr)):
        why = f"loadBalancerIP {wanted} is taken or outside of {cidr}; another address is used"
        yield _event(service, "Warning", "AllocationFailed", why)
        wanted = ""
    found = wanted or next(_free(cidr, taken), "")
    if not found:
        yield _event(service, "Warning", "AllocationFailed", f"no address of {cidr} is left")
        return
    taken.add(found)
    yield _patch(service, found)
    yield _event(service, "Normal", "EnsuredLoadBalancer", f"Ensured load balancer at {found}")


def addresses(service: objects.Object) -> list[str]:
    """Return the addresses of the Service's load balancer status."""
    entries = (objects.status(service).get("loadBalancer") or {}).get("ingress") or ()
    return [str(entry.get("ip") or entry.get("hostname") or "") for entry in entries]


def _within(address: str, cidr: str) -> bool:
    try:
        return ipaddress.IPv4Address(address) in ipaddress.IPv4Network(cidr)
    except ValueError:
        return False


def _free(cidr: str, taken: Iterable[str]) -> Iterator[str]:
    used = set(taken)
    return (str(host) for host in ipaddress.IPv4Network(cidr).hosts() if str(host) not in used)


def _patch(service: objects.Object, address: str | None) -> api.Patch:
    entries: list[Any] | None = [{"ip": address, "ipMode": "VIP"}] if address else None
    body = {"status": {"loadBalancer": {"ingress": entries}}}
    return api.Patch(kinds.SERVICE, objects.namespace(service), objects.name(service), body, "status")


def _event(service: objects.Object, type: str, reason: str, message: str) -> api.RecordEvent:
    return api.RecordEvent(service, type, reason, message, COMPONENT)
