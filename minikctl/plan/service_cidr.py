"""ServiceCIDR: ranges of cluster addresses, which stay while Services need them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network

from minikctl.model import kinds, objects
from minikctl.model.actions.api import Plan, Update
from minikctl.model.objects import Object
from minikctl.plan import conditions

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
READY = "Kubernetes Service CIDR is ready"
IN_USE = (
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
)
"""Both messages and the finalizer are Kubernetes' (its servicecidrs controller)."""
UNUSABLE = "Unusable"
"""The reason why a range is not ready that this cluster cannot route."""


@dataclass(frozen=True)
class View:
    """A ServiceCIDR, the others, and the addresses of Services; no range may overlap a ``reserved`` one."""

    object: Object
    others: tuple[Object, ...] = ()
    addresses: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()


def desired(view: View, now: datetime) -> Plan:
    """Return the finalizer first, then the condition; the finalizer goes when no address is left alone."""
    obj = view.object
    finalizers = list(objects.meta(obj).get("finalizers") or ())
    if objects.is_deleting(obj):
        if FINALIZER not in finalizers:
            return Plan()
        if _is_needed(view):
            return _told(obj, conditions.new("Ready", "False", "Terminating", IN_USE, now))
        return _with_finalizers(obj, [each for each in finalizers if each != FINALIZER])
    if FINALIZER not in finalizers:
        return _with_finalizers(obj, [*finalizers, FINALIZER])
    problem = unusable(obj, view.reserved)
    if problem:
        return _told(obj, conditions.new("Ready", "False", UNUSABLE, problem, now))
    return _told(obj, conditions.new("Ready", "True", "", READY, now))


def _told(obj: Object, condition: conditions.Condition) -> Plan:
    found = objects.status(obj).get("conditions") or ()
    return Plan(status={**objects.status(obj), "conditions": conditions.put(found, condition)})


def _with_finalizers(obj: Object, finalizers: list[str]) -> Plan:
    metadata = {**objects.meta(obj), "finalizers": finalizers}
    return Plan((Update(kinds.SERVICE_CIDR, {**obj, "metadata": metadata}),))


def _is_needed(view: View) -> bool:
    own = networks(view.object)
    others = [each for other in view.others if not objects.is_deleting(other) for each in networks(other)]
    if all(any(each.subnet_of(other) for other in others) for each in own):
        return False
    return any(_among(each, own) and not _among(each, others) for each in view.addresses)


def _among(address: str, ranges: Iterable[IPv4Network]) -> bool:
    return any(ipaddress.ip_address(address) in each for each in ranges)


def networks(obj: Object) -> list[IPv4Network]:
    """Return the IPv4 ranges of a ServiceCIDR."""
    found = [ipaddress.ip_network(each) for each in objects.spec(obj).get("cidrs") or ()]
    return [each for each in found if isinstance(each, IPv4Network)]


def unusable(obj: Object, reserved: Sequence[str]) -> str:
    """Return why the ranges cannot be used here, "" if they can."""
    own = networks(obj)
    if not own:
        return "minikctl gives Services IPv4 addresses only"
    for each in own:
        for other in map(IPv4Network, reserved):
            if each.overlaps(other):
                return f"{each} overlaps {other}, which this cluster uses for something else"
    return ""


def is_ready(obj: Object) -> bool:
    """Tell whether addresses may be taken from the ranges."""
    ready = objects.condition(obj, "Ready") or {}
    return ready.get("status") == "True" and not objects.is_deleting(obj)


def routed(found: Iterable[Object], first: str, reserved: Sequence[str]) -> tuple[str, ...]:
    """Return the ranges of cluster addresses, ``first`` among them, without those within another one."""
    usable = [each for obj in found if not unusable(obj, reserved) for each in networks(obj)]
    every = sorted({IPv4Network(first), *usable}, key=lambda each: (each.prefixlen, each))
    kept: list[IPv4Network] = []
    for each in every:
        if not any(each.subnet_of(other) for other in kept):
            kept.append(each)
    return tuple(str(each) for each in sorted(kept))
