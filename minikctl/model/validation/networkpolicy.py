"""NetworkPolicy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from minikctl.model import causes, objects
from minikctl.model.kind import Cause
from minikctl.model.objects import Object
from minikctl.model.validation import addresses, ports, selection

DIRECTIONS = {"ingress": "from", "egress": "to"}
TYPES = ("Ingress", "Egress")
PROTOCOLS = ("TCP", "UDP", "SCTP")


def default(obj: Object) -> None:
    """Complete a NetworkPolicy: which directions it is about, and its ports' protocols."""
    spec = objects.spec(obj)
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in DIRECTIONS:
        for rule in spec.get(direction) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")


def validate(obj: Object, old: Object | None) -> list[Cause]:  # noqa: ARG001 - rules are the same for updates
    """Return what is wrong with a NetworkPolicy."""
    spec = objects.spec(obj)
    found = selection.validate(spec.get("podSelector") or {}, "spec.podSelector")
    for direction, side in DIRECTIONS.items():
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for number, port in enumerate(rule.get("ports") or ()):
                found += _port(port, f"{path}.ports[{number}]")
            for number, peer in enumerate(rule.get(side) or ()):
                found += _peer(peer, f"{path}.{side}[{number}]")
    return [*found, *_types(spec.get("policyTypes") or ())]


def _types(listed: Any) -> Iterator[Cause]:
    if len(listed) > len(TYPES):
        yield causes.invalid("spec.policyTypes", listed, "may not specify more than two policyTypes")
        return
    for index, one in enumerate(listed):
        if one not in TYPES:
            yield causes.unsupported(f"spec.policyTypes[{index}]", one, TYPES)


def _port(port: dict[str, Any], path: str) -> Iterator[Cause]:
    if port.get("protocol") and port["protocol"] not in PROTOCOLS:
        yield causes.unsupported(f"{path}.protocol", port["protocol"], PROTOCOLS)
    wanted, end = port.get("port"), port.get("endPort")
    if wanted is not None:
        yield from ports.reference(f"{path}.port", wanted)
    if end is None:
        return
    if wanted is None:
        yield causes.invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified")
    elif isinstance(wanted, str):
        yield causes.invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
    else:
        if end < wanted:
            yield causes.invalid(f"{path}.endPort", end, "must be greater than or equal to `port`")
        yield from ports.reference(f"{path}.endPort", end)


def _peer(peer: dict[str, Any], path: str) -> Iterator[Cause]:
    given = [one for one in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(one) is not None]
    for one in given:
        if one == "ipBlock":
            yield from _block(peer[one], f"{path}.{one}")
        else:
            yield from selection.validate(peer[one], f"{path}.{one}")
    if not given:
        yield causes.required(path, "must specify a peer")
    elif "ipBlock" in given and len(given) > 1:
        yield causes.forbidden(path, "may not specify both ipBlock and another peer")


def _block(block: dict[str, Any], path: str) -> Iterator[Cause]:
    cidr = block.get("cidr")
    if not cidr:
        yield causes.required(f"{path}.cidr")
        return
    faults = addresses.cidr(cidr)
    yield from (causes.invalid(f"{path}.cidr", cidr, fault) for fault in faults)
    for index, excepted in enumerate(block.get("except") or ()):
        where = f"{path}.except[{index}]"
        wrong = addresses.cidr(excepted)
        yield from (causes.invalid(where, excepted, fault) for fault in wrong)
        if not faults and not wrong and not _inside(excepted, cidr):
            yield causes.invalid(where, excepted, "must be a strict subset of `cidr`")


def _inside(inner: str, outer: str) -> bool:
    one, other = ipaddress.ip_network(inner, strict=False), ipaddress.ip_network(outer, strict=False)
    same = one.version == other.version
    return same and one.network_address in other and other.prefixlen < one.prefixlen
