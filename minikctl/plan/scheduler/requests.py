"""What a pod asks of its node, in whole numbers: CPU in thousandths, everything else in units or bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from minikctl.model import objects, quantity
from minikctl.model.objects import Object

Amounts = Mapping[str, int]
Given = dict[str, Mapping[str, Any]]
"""Requests by the names of containers."""
Port = tuple[str, str, int]
"""(address, protocol, port); the address 0.0.0.0 is all."""
ALL_ADDRESSES = "0.0.0.0"
LEAST = {"cpu": 100, "memory": 200 << 20}
"""What a container that asks for nothing is taken to need when nodes are compared."""


def of_pod(pod: Object, least: Amounts | None = None) -> Amounts:
    """Return the pod's effective requests: all containers that run together, or the largest init step.

    Of a pod whose resources are being changed, the largest of what it asks for, was granted and has, and
    only the latter two while the change is infeasible (``PodRequests`` with ``UseStatusResources``,
    k8s.io/component-helpers/resource). ``least`` is what containers that say nothing are taken to ask for.
    """
    spec, granted, actual = objects.spec(pod), _granted(pod), _actual(pod)
    asked = _of_containers(spec, {}, least or {})
    if granted or actual:
        had = _larger(
            _of_containers(spec, granted, least or {}), _of_containers(spec, granted | actual, least or {})
        )
        asked = had if is_infeasible(pod) else _larger(asked, had)
    return _sum({**asked, **_whole(pod)}, amounts(spec.get("overhead")))


def _whole(pod: Object) -> Amounts:
    """Return what is asked for the pod as a whole, as ``of_pod`` counts while that changes."""
    asked = amounts((objects.spec(pod).get("resources") or {}).get("requests"))
    status = objects.status(pod)
    given = [amounts(status.get("allocatedResources")), amounts(_requests(status))]
    if not asked or not any(given):
        return asked
    return _larger(_larger({} if is_infeasible(pod) else asked, given[0]), given[1])


def is_infeasible(pod: Object) -> bool:
    """Tell whether the pod asks for other resources that its node can never give."""
    return (objects.condition(pod, "PodResizePending") or {}).get("reason") == "Infeasible"


def told(pod: Object) -> tuple[Any, ...]:
    """Return all of the pod's status that its requests depend on."""
    status = objects.status(pod)
    whole = status.get("allocatedResources"), _requests(status)
    return _granted(pod), _actual(pod), whole, is_infeasible(pod)


def as_asked(pod: Object) -> Object:
    """Return the pod without what it was granted so far: what counts is its spec alone."""
    return {**pod, "status": {}}


def as_granted(pod: Object) -> Object:
    """Return the pod asking for what its node has granted."""
    granted, spec = _granted(pod), dict(objects.spec(pod))
    whole = objects.status(pod).get("allocatedResources")
    if whole and spec.get("resources"):
        spec["resources"] = {**spec["resources"], "requests": whole}
    for field in ("containers", "initContainers"):
        spec[field] = [
            {**each, "resources": {**(each.get("resources") or {}), "requests": granted[each["name"]]}}
            if each.get("name") in granted
            else each
            for each in spec.get(field) or ()
        ]
    return {**pod, "spec": spec}


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


def as_it_has(pod: Object) -> Object:
    """Return the pod asking for what its containers and itself really have."""
    given = {str(each.get("name")): each["resources"] for each in _statuses(pod) if each.get("resources")}
    spec = dict(objects.spec(pod))
    if spec.get("resources"):
        spec["resources"] = objects.status(pod).get("resources") or spec["resources"]
    for field in ("containers", "initContainers"):
        spec[field] = [
            {**each, "resources": given[each["name"]]} if each.get("name") in given else each
            for each in spec.get(field) or ()
        ]
    return {**pod, "spec": spec}


def _of_containers(spec: Object, told: Given, floor: Amounts) -> Amounts:
    """Return the sum of the containers; what is ``told`` of one stands for what its spec asks for."""
    running = _total(_of_container(each, told, floor) for each in spec.get("containers") or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for each in spec.get("initContainers") or ():
        if each.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, _of_container(each, told, floor))
            peak = _larger(peak, sidecars)
        else:
            peak = _larger(peak, _sum(sidecars, _of_container(each, told, floor)))
    return _larger(_sum(running, sidecars), peak)


def _of_container(container: Mapping[str, Any], told: Given, floor: Amounts) -> Amounts:
    resources = container.get("resources") or {}
    given = told.get(str(container.get("name")))
    if given is None:
        given = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    asked = amounts(given)
    return {**floor, **asked} if floor else asked


def _granted(pod: Object) -> Given:
    return {
        str(each.get("name")): each["allocatedResources"]
        for each in _statuses(pod)
        if each.get("allocatedResources")
    }


def _actual(pod: Object) -> Given:
    return {str(each.get("name")): asked for each in _statuses(pod) if (asked := _requests(each))}


def _requests(holder: Object) -> Mapping[str, Any]:
    return (holder.get("resources") or {}).get("requests") or {}


def _statuses(pod: Object) -> Iterator[Object]:
    status = objects.status(pod)
    yield from status.get("containerStatuses") or ()
    yield from status.get("initContainerStatuses") or ()


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
