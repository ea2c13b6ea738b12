"""What a pod asks of its node, in whole numbers: CPU in thousandths, everything else in units or bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.objects import Object

Amounts = Mapping[str, int]
Port = tuple[str, str, int]
"""(address, protocol, port); the address 0.0.0.0 is all."""
ALL_ADDRESSES = "0.0.0.0"
LEAST = {"cpu": 100, "memory": 200 << 20}
"""What a container that asks for nothing is taken to need when nodes are compared."""


def of_pod(pod: Object, least: Amounts | None = None) -> Amounts:
    """Return the pod's effective requests: all containers that run together, or the largest init step.

    ``least`` is what containers that say nothing are taken to ask for.
    """
    spec = objects.spec(pod)
    floor = least or {}
    running = _total(_of_container(each, floor) for each in spec.get("containers") or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, _of_container(each, floor))
            peak = _larger(peak, sidecars)
        else:
            peak = _larger(peak, _sum(sidecars, _of_container(each, floor)))
    asked = _larger(_sum(running, sidecars), peak)
    whole = amounts((spec.get("resources") or {}).get("requests"))
    return _sum({**asked, **whole}, amounts(spec.get("overhead")))


def allocatable(node: Object) -> Amounts:
    """Return what the node has to give."""
    status = objects.status(node)
    return amounts(status.get("allocatable") or status.get("capacity"))


def host_ports(pod: Object) -> frozenset[Port]:
    """Return the ports that the pod takes on its node."""
    spec = objects.spec(pod)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return frozenset(
        (str(port.get("hostIP") or ALL_ADDRESSES), str(port.get("protocol") or "TCP"), int(port["hostPort"]))
        for container in [*(spec.get("containers") or ()), *sidecars]
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def ports_clash(wanted: Iterable[Port], taken: Iterable[Port]) -> bool:
    """Tell whether a wanted port is taken, on the same address or on all."""
    used = list(taken)
    return any(
        protocol == used_protocol
        and port == used_port
        and (address == used_address or ALL_ADDRESSES in (address, used_address))
        for address, protocol, port in wanted
        for used_address, used_protocol, used_port in used
    )


def amounts(texts: Mapping[str, Any] | None) -> Amounts:
    """Return a ResourceList as whole numbers."""
    return {
        name: quantity.millis(text) if name == "cpu" else quantity.whole(text)
        for name, text in (texts or {}).items()
    }


def _of_container(container: Mapping[str, Any], floor: Amounts) -> Amounts:
    resources = container.get("resources") or {}
    asked = amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})
    return {**floor, **asked} if floor else asked


def _sum(left: Amounts, right: Amounts) -> Amounts:
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}


def _larger(left: Amounts, right: Amounts) -> Amounts:
    return {name: max(left.get(name, 0), right.get(name, 0)) for name in {**left, **right}}


def _total(each: Iterable[Amounts]) -> Amounts:
    summed: dict[str, int] = {}
    for found in each:
        for name, amount in found.items():
            summed[name] = summed.get(name, 0) + amount
    return summed
