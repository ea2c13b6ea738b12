"""Cluster addresses and node ports are given to Services as part of their create and update.

The pools are memory only: they are filled from the Services that exist, and follow the changes of Services,
so that there is no second record that could disagree with the first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from minikctl import errors
from minikctl.apiserver import cache, pools
from minikctl.apiserver.admission import chain
from minikctl.model import causes, kinds, objects, service_families
from minikctl.model.objects import Object
from minikctl.model.validation import service as service_rules
from minikctl.plan import service_addresses, service_cidr
from minikctl.runtime import tasks

T = TypeVar("T")
Undo = Callable[[], None]

_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


class Addresses:
    """The addresses and ports of all Services."""

    def __init__(self, addresses: pools.AddressPools, ports: pools.PortPool) -> None:
        self.addresses = addresses
        self.ports = ports
        self._reserved: set[str] = set()
        self._ranges: dict[str, tuple[str, ...]] = {}

    def adopt(self, service: Object) -> None:
        """Count as taken what a stored Service holds; what two hold is given back by the first that goes."""
        for address in _held_addresses(service):
            with contextlib.suppress(pools.Taken):
                self.addresses.hold(address)
        for port in _held_ports(service):
            with contextlib.suppress(pools.Taken):
                self.ports.take(port)

    def admit(self, cidr: Object) -> None:
        """Give addresses of a ServiceCIDR while it is ready; once it is not, no more."""
        ready = service_cidr.is_ready(cidr)
        self._ranges[objects.name(cidr)] = tuple(map(str, service_cidr.networks(cidr))) if ready else ()
        self._admit()

    def _admit(self) -> None:
        self.addresses.admit(each for name in sorted(self._ranges) for each in self._ranges[name])

    def follow_range(self, change: cache.Change) -> None:
        """Follow a ServiceCIDR that comes, changes its condition, or goes."""
        if change.new is not None:
            self.admit(change.new.object)
        elif change.old is not None:
            self._ranges.pop(objects.name(change.old.object), None)
            self._admit()

    def reserve(self, address: Object) -> None:
        """Keep an address from Services for the sake of an IPAddress that somebody else made."""
        name = objects.name(address)
        if service_addresses.parent(address) is None:
            with contextlib.suppress(pools.Taken, ValueError):
                self.addresses.hold(name)
                self._reserved.add(name)

    def follow_reservation(self, change: cache.Change) -> None:
        """Reserve what a new IPAddress names; give it back when that is gone."""
        if change.old is None and change.new is not None:
            self.reserve(change.new.object)
        elif change.old is not None and change.new is None:
            name = objects.name(change.old.object)
            if name in self._reserved:
                self._reserved.remove(name)
                self.addresses.release(name)

    def follow(self, change: cache.Change) -> None:
        """Give back what a Service held before the change and does not hold after it."""
        if change.old is None:
            return
        after = change.new.object if change.new else {}
        for address in set(_held_addresses(change.old.object)) - set(_held_addresses(after)):
            self.addresses.release(address)
        for port in set(_held_ports(change.old.object)) - set(_held_ports(after)):
            self.ports.release(port)

    def allocate(self, service: Object, old: Object | None) -> Undo:
        """Give the Service, in place, the addresses and ports it needs; the answer takes them back.

        Raises 422 in Kubernetes' words when what it asks for is taken, 500 when nothing is left.
        """
        gains = _Gains(self, service, old or {})
        try:
            gains.address()
            gains.node_ports()
            gains.health_check_port()
        except errors.StatusError:
            gains.undo()
            raise
        return gains.undo


async def whole(
    request: chain.Request, storing: Coroutine[Any, Any, T], finished: Callable[[chain.Request], None]
) -> T:
    """Return what storing an object returns; the request is finished then.

    A Service, and what counts against a quota, is stored to the end though its caller is cancelled, so that
    what it was given is its own or given back.
    """

    async def all_of_it() -> T:
        try:
            return await storing
        finally:
            finished(request)

    to_the_end = request.kind is kinds.SERVICE or request.is_counted
    return await (tasks.whole(all_of_it()) if to_the_end else all_of_it())


class _Gains:
    """What one Service takes that it did not hold before."""

    def __init__(self, pool: Addresses, service: Object, old: Object) -> None:
        self._pool = pool
        self._service = service
        self._spec: dict[str, Any] = service["spec"]
        self._had_addresses = set(_held_addresses(old))
        self._had_ports = set(_held_ports(old))
        self._addresses: list[str] = []
        self._ports: list[int] = []

    def undo(self) -> None:
        for address in self._addresses:
            self._pool.addresses.release(address)
        for port in self._ports:
            self._pool.ports.release(port)
        self._addresses, self._ports = [], []

    def _refuse(self, *wrong: dict[str, str]) -> errors.StatusError:
        return errors.invalid("Service", "", objects.name(self._service), list(wrong))

    def address(self) -> None:
        spec = self._spec
        if spec.get("type") == "ExternalName":
            return
        if wrong := service_families.settle(spec):
            raise self._refuse(*wrong)
        wanted = spec.get("clusterIP") or ""
        if wanted != "None" and wanted not in self._had_addresses:
            wanted = self._take_address(wanted)
        spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]

    def _take_address(self, wanted: str) -> str:
        try:
            if wanted:
                self._pool.addresses.take(wanted)
            else:
                wanted = self._pool.addresses.take_any()
        except pools.Taken as taken:
            detail = f"failed to allocate IP {wanted}: {taken}"
            raise self._refuse(causes.invalid("spec.clusterIPs", [wanted], detail)) from None
        except pools.Exhausted:
            raise _internal("failed to allocate a serviceIP: range is full") from None
        self._addresses.append(wanted)
        return wanted

    def node_ports(self) -> None:
        spec = self._spec
        if spec.get("type") not in _WITH_NODE_PORTS:
            return
        automatic = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
        ports: list[dict[str, Any]] = spec.get("ports") or []
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                self._take_port(port["nodePort"], f"spec.ports[{index}].nodePort")
        for port in ports:
            if not port.get("nodePort") and automatic:
                port["nodePort"] = _twin(port, ports) or self._take_any_port()

    def health_check_port(self) -> None:
        spec = self._spec
        if not _checks_health(spec):
            return
        if spec.get("healthCheckNodePort"):
            self._take_port(spec["healthCheckNodePort"], "spec.healthCheckNodePort")
        else:
            spec["healthCheckNodePort"] = self._take_any_port()

    def _take_port(self, port: int, field: str) -> None:
        if port in self._had_ports or port in self._ports:
            return
        try:
            self._pool.ports.take(port)
        except pools.Taken as taken:
            raise self._refuse(causes.invalid(field, port, str(taken))) from None
        self._ports.append(port)

    def _take_any_port(self) -> int:
        try:
            port = self._pool.ports.take_any()
        except pools.Exhausted:
            raise _internal("failed to allocate a nodePort: range is full") from None
        self._ports.append(port)
        return port


def carry_over(service: Object, old: Object) -> None:
    """Keep, in place, what an update left out but the Service needs; drop what its new type has not."""
    spec, before = service["spec"], objects.spec(old)
    had, needs = before.get("type") != "ExternalName", spec.get("type") != "ExternalName"
    if had and needs:
        _keep_address(spec, before)
    elif had:
        _drop_address(spec, before)
    _keep_ports(spec, before)
    if not _checks_health(spec) and spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    elif _checks_health(spec) and _checks_health(before) and before.get("healthCheckNodePort"):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
    if spec.get("type") != "LoadBalancer" and before.get("type") == "LoadBalancer":
        for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(field) == before.get(field):
                spec.pop(field, None)
    inward = service_rules.externally_accessible(before) and not service_rules.externally_accessible(spec)
    if inward and spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)


def _drop_address(spec: dict[str, Any], before: dict[str, Any]) -> None:
    """Drop what was not changed; whoever clears clusterIP means clusterIPs, too."""
    if spec.get("clusterIP") in (before.get("clusterIP"), None, ""):
        spec.pop("clusterIP", None)
        if spec.get("clusterIPs") == before.get("clusterIPs"):
            spec.pop("clusterIPs", None)
    for field in ("ipFamilies", "ipFamilyPolicy"):
        if spec.get(field) == before.get(field):
            spec.pop(field, None)


def _keep_address(spec: dict[str, Any], before: dict[str, Any]) -> None:
    if not spec.get("clusterIP"):
        given = spec.get("clusterIPs") or []
        spec["clusterIP"] = given[0] if given else before.get("clusterIP", "")
    if not spec.get("clusterIPs") or spec["clusterIP"] != before.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    for field in ("ipFamilies", "ipFamilyPolicy"):
        if before.get(field):
            spec.setdefault(field, before[field])


def _keep_ports(spec: dict[str, Any], before: dict[str, Any]) -> None:
    had, needs = before.get("type") in _WITH_NODE_PORTS, spec.get("type") in _WITH_NODE_PORTS
    if not had:
        return
    ports = spec.get("ports") or []
    old_ports = before.get("ports") or []
    if needs:
        used = {port.get("nodePort") for port in ports}
        # A port is the same by its name, whatever else of it changes.
        known = {port.get("name") or "": port.get("nodePort") for port in old_ports}
        for port in ports:
            kept = known.get(port.get("name") or "")
            if not port.get("nodePort") and kept and kept not in used:
                port["nodePort"] = kept
    elif [port.get("nodePort") for port in ports] == [port.get("nodePort") for port in old_ports]:
        for port in ports:
            port.pop("nodePort", None)


def _twin(port: dict[str, Any], ports: list[dict[str, Any]]) -> int:
    """Return the node port of the same port number in another protocol, so that DNS has one for both."""
    for other in ports:
        if other.get("port") == port.get("port") and other.get("protocol") != port.get("protocol"):
            return other.get("nodePort") or 0
    return 0


def _checks_health(spec: dict[str, Any]) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _held_addresses(service: Object) -> Iterator[str]:
    spec = objects.spec(service)
    if spec.get("type") != "ExternalName":
        yield from (each for each in spec.get("clusterIPs") or () if each and each != "None")


def _held_ports(service: Object) -> Iterator[int]:
    spec = objects.spec(service)
    yield from (port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort"))
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _internal(message: str) -> errors.StatusError:
    return errors.StatusError(500, "InternalError", f"Internal error occurred: {message}")
