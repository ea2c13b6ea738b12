"""What service routing reads of Services and EndpointSlices: service ports with their endpoints, frozen."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects

SERVICE_NAME = "kubernetes.io/service-name"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICES_CONTROLLER = "endpointslice-controller.k8s.io"
"""A label of EndpointSlices, and its value on those that our own controller keeps."""
HEADLESS = "service.kubernetes.io/headless"
ELSEWHERE = (PROXY_NAME, HEADLESS)
"""Labels of Services that kube-proxy leaves to others, whatever their values."""
DEFAULT_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, order=True)
class Target:
    """One address and port that can serve."""

    ip: str
    port: int


@dataclass(frozen=True)
class Spot:
    """Where a client is: a node and its zone; without them no hint counts."""

    node: str = ""
    zone: str = ""


ANYWHERE = Spot()


@dataclass(frozen=True)
class Endpoint:
    """A target with the conditions that decide whether it gets traffic, and the hints whose."""

    target: Target
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    for_nodes: frozenset[str] = frozenset()
    for_zones: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ServicePort:
    """One port of one Service with a cluster address; ``affinity_seconds`` 0 means none.

    ``sources`` are the ranges that may use the load balancer addresses, empty: everybody may.
    """

    namespace: str
    service: str
    name: str
    protocol: str
    port: int
    node_port: int = 0
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    balancer_ips: tuple[str, ...] = ()
    affinity_seconds: int = 0
    internal_local: bool = False
    external_local: bool = False
    sources: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()

    def targets(self, spot: Spot = ANYWHERE) -> tuple[Target, ...]:
        """Return who gets traffic from there: the ready, else those that serve as they end."""
        return chosen(near(self.endpoints, spot))

    def answering(self) -> frozenset[Target]:
        """Return who serves, wherever its clients are."""
        return frozenset(chosen(self.endpoints))

    def outside_targets(self) -> tuple[Target, ...]:
        """Return who gets traffic from outside the cluster; by the policy Local only what is on some node.

        All nodes are met at one address, so together they stand for each of them.
        """
        return chosen([one for one in self.endpoints if one.node or not self.external_local])

    def local_targets(self, node: str) -> tuple[Target, ...]:
        """Return who of that node gets traffic, by the same rule."""
        return chosen([endpoint for endpoint in self.endpoints if endpoint.node == node])


def chosen(endpoints: Iterable[Endpoint]) -> tuple[Target, ...]:
    """Return the targets of the ready endpoints, else of those that are terminating but still serve."""
    found = tuple(endpoints)
    ready = {endpoint.target for endpoint in found if endpoint.ready}
    leaving = {endpoint.target for endpoint in found if endpoint.serving and endpoint.terminating}
    return tuple(sorted(ready or leaving))


def near(endpoints: Sequence[Endpoint], spot: Spot) -> Sequence[Endpoint]:
    """Return the ready endpoints that hints mean for the node, else for its zone, else all endpoints.

    Hints count only if every ready endpoint has them, as in kube-proxy's topologyModeFromHints.
    """
    ready = [one for one in endpoints if one.ready]
    if all(one.for_nodes for one in ready):
        found = [one for one in ready if spot.node in one.for_nodes]
        if found:
            return found
    if all(one.for_zones for one in ready):
        found = [one for one in ready if spot.zone in one.for_zones]
        if found:
            return found
    return endpoints


def depends_on_spot(services: Iterable[objects.Object], slices: Iterable[objects.Object]) -> bool:
    """Tell whether it matters to any Service on which node its client is."""
    return any(objects.spec(one).get("internalTrafficPolicy") == "Local" for one in services) or any(
        entry.get("hints") for piece in slices for entry in piece.get("endpoints") or ()
    )


def within(targets: Iterable[Target], subnet: str) -> tuple[Target, ...]:
    """Return the targets in the subnet, all of them without one."""
    if not subnet:
        return tuple(targets)
    network = ipaddress.IPv4Network(subnet)
    return tuple(one for one in targets if is_ipv4(one.ip) and ipaddress.IPv4Address(one.ip) in network)


def is_ipv4(text: str) -> bool:
    """Tell whether the text is an IPv4 address."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def slices_by_service(slices: Iterable[objects.Object]) -> Mapping[objects.Key, list[objects.Object]]:
    """Return the IPv4 EndpointSlices of each Service."""
    found: defaultdict[objects.Key, list[objects.Object]] = defaultdict(list)
    for piece in slices:
        service = objects.labels(piece).get(SERVICE_NAME)
        if service and piece.get("addressType", "IPv4") == "IPv4":
            found[objects.namespace(piece), service].append(piece)
    return found


def service_ports(
    services: Iterable[objects.Object], slices: Iterable[objects.Object]
) -> tuple[ServicePort, ...]:
    """Return every port of every Service that has a cluster address, in the order of their names."""
    pieces = slices_by_service(slices)
    found: list[ServicePort] = []
    for service in sorted(services, key=objects.key):
        found += ports_of(service, pieces.get(objects.key(service), ()))
    return tuple(found)


def ports_of(service: objects.Object, slices: Sequence[objects.Object]) -> list[ServicePort]:
    """Return the ports of one Service; none for ExternalName and headless ones, and those left to others."""
    spec = objects.spec(service)
    cluster_ips = cluster_addresses(spec)
    if spec.get("type") == "ExternalName" or not cluster_ips or is_elsewhere(service):
        return []
    return [
        ServicePort(
            namespace=objects.namespace(service),
            service=objects.name(service),
            name=str(port.get("name") or ""),
            protocol=str(port.get("protocol") or "TCP").lower(),
            port=int(port.get("port") or 0),
            node_port=int(port.get("nodePort") or 0)
            if spec.get("type") in ("NodePort", "LoadBalancer")
            else 0,
            cluster_ips=cluster_ips,
            external_ips=tuple(ip for ip in spec.get("externalIPs") or () if is_ipv4(ip)),
            balancer_ips=balancer_addresses(service),
            affinity_seconds=affinity(spec),
            external_local=spec.get("externalTrafficPolicy") == "Local",
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            sources=sources(spec),
            endpoints=tuple(endpoints_of(service, slices, port)),
        )
        for port in spec.get("ports") or ()
    ]


def is_elsewhere(service: objects.Object) -> bool:
    """Tell whether the Service is left to a proxy of its users."""
    return any(label in objects.labels(service) for label in ELSEWHERE)


def cluster_addresses(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the Service's IPv4 cluster addresses."""
    listed = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return tuple(ip for ip in listed if is_ipv4(ip))


def balancer_addresses(service: objects.Object) -> tuple[str, ...]:
    """Return the load balancer addresses that pods are to be short-cut to (ipMode VIP)."""
    listed = (objects.status(service).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(
        entry["ip"]
        for entry in listed
        if entry.get("ipMode", "VIP") == "VIP" and is_ipv4(str(entry.get("ip") or ""))
    )


def sources(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the IPv4 ranges that may use the load balancer addresses, joined; nothing if everybody may."""
    given = spec.get("loadBalancerSourceRanges") or () if spec.get("type") == "LoadBalancer" else ()
    ranges = [ipaddress.ip_network(str(one).strip(), strict=False) for one in given]
    listed = ipaddress.collapse_addresses(one for one in ranges if isinstance(one, ipaddress.IPv4Network))
    return tuple(map(str, listed)) or (("0.0.0.0/32",) if ranges else ())


def affinity(spec: Mapping[str, Any]) -> int:
    """Return for how many seconds a client keeps its endpoint, 0 without affinity."""
    if spec.get("sessionAffinity") != "ClientIP":
        return 0
    config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
    return int(config.get("timeoutSeconds") or DEFAULT_AFFINITY_SECONDS)


def endpoints_of(
    service: objects.Object, slices: Sequence[objects.Object], port: Mapping[str, Any]
) -> Iterable[Endpoint]:
    """Yield the endpoints behind one port of the Service: those of slice ports of its name and protocol.

    Where no slice has any, since the port has just been renamed and the slices, another object, are still to
    follow, the slices' port of before is taken, so that no connection is refused meanwhile.
    """
    wanted: tuple[str, str] | None = _identity(port)
    if not any(_identity(one) == wanted for piece in slices for one in piece.get("ports") or ()):
        wanted = _before(service, slices, port)
    for piece in slices:
        for slice_port in piece.get("ports") or ():
            if _identity(slice_port) == wanted and slice_port.get("port"):
                yield from (
                    endpoint_of(entry, int(slice_port["port"]))
                    for entry in piece.get("endpoints") or ()
                    if entry.get("addresses")
                )


def _identity(port: Mapping[str, Any]) -> tuple[str, str]:
    return str(port.get("name") or ""), str(port.get("protocol") or "TCP")


def _before(
    service: objects.Object, slices: Sequence[objects.Object], port: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return what the port was called when the slices were written, None where that is not clear.

    Only slices that our controller keeps can be late: in the end none has a port that the Service lacks.
    """
    if not objects.spec(service).get("selector"):
        return None
    ours = [piece for piece in slices if objects.labels(piece).get(MANAGED_BY) == SLICES_CONTROLLER]
    own = [_identity(one) for one in objects.spec(service).get("ports") or ()]
    protocol = _identity(port)[1]
    old: dict[tuple[str, str], set[Any]] = {}
    for one in (one for piece in ours for one in piece.get("ports") or ()):
        if _identity(one) not in own and _identity(one)[1] == protocol:
            old.setdefault(_identity(one), set()).add(one.get("port"))
    target = port.get("targetPort") or port.get("port")
    same = [name for name, numbers in old.items() if target in numbers]
    if same:
        return same[0]
    there = {_identity(one) for piece in ours for one in piece.get("ports") or ()}
    new = [one for one in own if one[1] == protocol and one not in there]
    return next(iter(old)) if len(old) == len(new) == 1 else None


def lasting(slices: Iterable[objects.Object]) -> dict[str, bool]:
    """Return the addresses of pods that are endpoints; of each whether a slice does not know that it ends."""
    found: dict[str, bool] = {}
    for piece in slices:
        for entry in piece.get("endpoints") or ():
            if (entry.get("targetRef") or {}).get("kind") == "Pod":
                lasts = not (entry.get("conditions") or {}).get("terminating")
                for address in entry.get("addresses") or ():
                    found[address] = lasts or found.get(address, False)
    return found


def endpoint_of(entry: Mapping[str, Any], port: int) -> Endpoint:
    """Return one endpoint; an unknown condition counts as ready, serving and not terminating."""
    conditions, hints = entry.get("conditions") or {}, entry.get("hints") or {}
    ready = conditions.get("ready") is not False
    serving = conditions.get("serving")
    return Endpoint(
        Target(str(entry["addresses"][0]), port),
        node=str(entry.get("nodeName") or ""),
        ready=ready,
        serving=ready if serving is None else bool(serving),
        terminating=bool(conditions.get("terminating")),
        for_nodes=frozenset(str(one.get("name")) for one in hints.get("forNodes") or ()),
        for_zones=frozenset(str(one.get("name")) for one in hints.get("forZones") or ()),
    )
