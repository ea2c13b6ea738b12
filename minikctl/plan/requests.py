"""What a pod asks of its node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.objects import Object

Amounts = Mapping[str, Fraction]


def of_pod(pod: Object) -> Amounts:
    """Return the pod's effective requests: all containers that run together, or the largest init step."""
    spec = objects.spec(pod)
    running = _total(_of_container(each) for each in spec.get("containers") or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, _of_container(each))
            peak = _larger(peak, sidecars)
        else:
            peak = _larger(peak, _sum(sidecars, _of_container(each)))
    asked = _larger(_sum(running, sidecars), peak)
    whole = _amounts((spec.get("resources") or {}).get("requests"))
    return _sum({**asked, **whole}, _amounts(spec.get("overhead")))


def allocatable(node: Object) -> Amounts:
    """Return what the node has to give."""
    status = objects.status(node)
    return _amounts(status.get("allocatable") or status.get("capacity"))


def host_ports(pod: Object) -> set[tuple[str, str, int]]:
    """Return the (address, protocol, port) that the pod takes on its node; the address 0.0.0.0 is all."""
    spec = objects.spec(pod)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return {
        (str(port.get("hostIP") or "0.0.0.0"), str(port.get("protocol") or "TCP"), int(port["hostPort"]))
        for container in [*(spec.get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def ports_clash(wanted: set[tuple[str, str, int]], taken: set[tuple[str, str, int]]) -> bool:
    """Tell whether a wanted port is taken, on the same address or on all."""
    return any(
        protocol == used_protocol and port == used_port and (address == used or "0.0.0.0" in (address, used))
        for address, protocol, port in wanted
        for used, used_protocol, used_port in taken
    )


def _amounts(texts: Mapping[str, Any] | None) -> Amounts:
    return {name: quantity.parse(text) for name, text in (texts or {}).items()}


def _of_container(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(left: Amounts, right: Amounts) -> Amounts:
    return {name: left.get(name, Fraction(0)) + right.get(name, Fraction(0)) for name in {**left, **right}}


def _larger(left: Amounts, right: Amounts) -> Amounts:
    zero = Fraction(0)
    return {name: max(left.get(name, zero), right.get(name, zero)) for name in {**left, **right}}


def _total(each: Iterable[Amounts]) -> Amounts:
    summed: dict[str, Fraction] = {}
    for amounts in each:
        for name, amount in amounts.items():
            summed[name] = summed.get(name, Fraction(0)) + amount
    return summed
