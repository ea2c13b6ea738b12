"""TCP ports of NodePort and LoadBalancer Services, published by one HAProxy in the host's network.

It listens where the ports are published and connects to endpoints directly: one hop, which ports can join and
leave while it runs.  What is not TCP is published by containers (see ``plan.publisher``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.model.containers import PortBinding
from minikctl.model.objects import Key, Object
from minikctl.plan import haproxy, proxy_view, publisher
from minikctl.plan.haproxy import CONFIG, Rendered, Slots, section
from minikctl.plan.proxy_view import ServicePort, Target

ANY = "0.0.0.0"
LOCALHOST = "127.0.0.1"
LOOPBACK = "127."
MEMORY_PORT, HEALTH_PORT = 1, 2
"""Such as hardly any program asks for: nobody else may have them."""
DISCARD = 9
"""The port of servers that are only counted."""
Bind = tuple[str, int]
"""An address of the host and a port."""


@dataclass(frozen=True)
class Place:
    """Which address the process shows to pods, where it sees its sockets' directory, and its threads.

    The source is an address of the cluster's own network: once that network is gone, nothing can be sent.
    ``memory`` is an address of this machine at which a reload hands on who is whose client, and probes are
    answered.
    """

    source: str
    sockets: str = haproxy.SOCKETS
    threads: int = 1
    memory: str = LOCALHOST


@dataclass(frozen=True)
class Published:
    """One TCP port of a Service, where it is published, and who serves it."""

    service: Key
    port: int
    binds: tuple[Bind, ...]
    targets: tuple[Target, ...]
    affinity_seconds: int = 0
    """For so long after its last connection a client keeps its endpoint."""
    balancers: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Who may connect to the load balancer addresses, everybody if empty; node ports are open to all."""
    node: str = ""
    """The node's address, if the node port is there too: it answers this machine alone."""

    @property
    def name(self) -> str:
        """Return the name of its frontend and backend."""
        return f"{self.service[0]}_{self.service[1]}_{self.port}"


@dataclass(frozen=True)
class HealthCheck:
    """A Service's healthCheckNodePort: it tells load balancers how many endpoints the nodes have."""

    service: Key
    binds: tuple[Bind, ...]
    targets: tuple[Target, ...]

    @property
    def name(self) -> str:
        """Return the name of its frontend, and of the backend whose servers it counts."""
        return f"{self.service[0]}_{self.service[1]}_health"


Port = Published | HealthCheck


def health_checks(
    services: Iterable[Object], slices: Iterable[Object], addresses: Sequence[str]
) -> tuple[HealthCheck, ...]:
    """Return the health checks to serve at these addresses, of Services whose balancer asks for them.

    The ready endpoints of all nodes count, as all nodes are met at one address.
    """
    pieces = proxy_view.slices_by_service(slices)
    at = (ANY,) if ANY in addresses else tuple(dict.fromkeys(addresses))
    found = []
    for service in sorted(services, key=objects.key):
        number = objects.spec(service).get("healthCheckNodePort")
        if number and not objects.is_deleting(service) and not proxy_view.is_elsewhere(service):
            ports = proxy_view.ports_of(service, pieces.get(objects.key(service), ()))
            ready = {one.target.ip for port in ports for one in port.endpoints if one.ready and one.node}
            counted = tuple(Target(ip, DISCARD) for ip in sorted(ready))
            found.append(
                HealthCheck(objects.key(service), tuple((each, int(number)) for each in at), counted)
            )
    return tuple(found)


def published(
    services: Iterable[Object],
    slices: Iterable[Object],
    address: str,
    subnet: str = "",
    local: Collection[Key] = (),
    node: str = "",
) -> tuple[Published, ...]:
    """Return the TCP ports to publish, node ports at ``address``; with ``subnet`` only targets within it.

    The ports of the Services in ``local`` are published at 127.0.0.1.  Node ports are at the address
    ``node``, too, as in Kubernetes (``NodeIP:NodePort``), but for this machine: who else may come is said
    by ``address``.
    """
    pieces = proxy_view.slices_by_service(slices)
    found: list[Published] = []
    for service in sorted(services, key=objects.key):
        binds = publisher.bindings(service, address, publisher.TCP)
        if objects.key(service) in local:
            binds = tuple(PortBinding(port, "tcp", LOCALHOST, port) for port in _numbers(service))
        for port in proxy_view.ports_of(service, pieces.get(objects.key(service), ())) if binds else ():
            own = tuple((one.host_ip, one.host_port) for one in binds if one.container_port == port.port)
            if port.protocol == "tcp" and own:
                one = _published(service, port, own, subnet)
                found.append(_at_node(one, port.node_port, "" if address == ANY else node))
    return tuple(found)


def _at_node(one: Published, number: int, node: str) -> Published:
    """Return the port with its node port at the node's address, unless it is there anyway."""
    hosts = {host for host, port in one.binds if port == number}
    if not node or not hosts or node in hosts:
        return one
    return replace(one, binds=(*one.binds, (node, number)), node=node)


def _numbers(service: Object) -> list[int]:
    return [int(port["port"]) for port in objects.spec(service).get("ports") or ()]


def _published(service: Object, port: ServicePort, binds: tuple[Bind, ...], subnet: str) -> Published:
    ranges = objects.spec(service).get("loadBalancerSourceRanges") or ()
    return Published(
        objects.key(service),
        port.port,
        binds,
        proxy_view.within(port.outside_targets(), subnet),
        affinity_seconds=port.affinity_seconds,
        balancers=tuple(host for host, _ in binds if host in port.balancer_ips),
        sources=tuple(sorted(str(one).strip() for one in ranges)),
    )


def render(ports: Sequence[Port], taken: Collection[Bind], slots: Slots, place: Place) -> Rendered:
    """Return the configuration that publishes these ports, except at binds that others have taken."""
    assigned = {one.name: haproxy.assign(slots.get(one.name, ()), one.targets) for one in ports}
    structure = haproxy.digest(configuration(ports, taken, haproxy.emptied(assigned), place))
    owners = {one.name: (one.service,) for one in ports}
    return Rendered({CONFIG: configuration(ports, taken, assigned, place)}, assigned, structure, {}, owners)


NOT_FOUND = "http-request return status 404"
_PROBED = ("mode http", "timeout client 10s")
DEFAULTS = (
    "mode tcp",
    "timeout connect 3s",
    *haproxy.LASTING,
)


def configuration(ports: Sequence[Port], taken: Collection[Bind], slots: Slots, place: Place) -> str:
    """Return haproxy.cfg."""
    parts = [
        # Connections outlive reloads in the processes that have them; so many of those may be left at once.
        haproxy.process(place.sockets, place.threads, "mworker-max-reloads 30", haproxy.LOCAL_PEER),
        section("defaults", DEFAULTS, f"source {place.source}"),
        section(
            "frontend healthz", _PROBED, f"bind {place.memory}:{HEALTH_PORT}", haproxy.HEALTHY, NOT_FOUND
        ),
    ]
    if any(isinstance(one, Published) and one.affinity_seconds for one in ports):
        parts.append(haproxy.memory(place.memory, MEMORY_PORT))
    for one in ports:
        if isinstance(one, Published):
            parts += [frontend(one, taken), backend(one, slots[one.name])]
        else:
            parts += [health(one, taken), haproxy.backend(one.name, slots[one.name])]
    return "\n".join(parts)


def _listeners(one: Port, taken: Collection[Bind]) -> list[str]:
    return [f"bind {address}:{port}" for address, port in one.binds if (address, port) not in taken]


def health(one: HealthCheck, taken: Collection[Bind]) -> str:
    """Return the frontend that answers as kube-proxy's health check of a Service does."""
    listeners = _listeners(one, taken)
    if not listeners:
        return ""
    count = f"nbsrv({one.name})"
    service = f'"service": {{"namespace": "{one.service[0]}", "name": "{one.service[1]}"}}'
    body = f'{{{service}, "localEndpoints": %[{count}], "serviceProxyHealthy": true}}'
    answer = (
        "content-type application/json hdr X-Content-Type-Options nosniff"
        f" hdr X-Load-Balancing-Endpoint-Weight %[{count}] lf-string '{body}'"
    )
    return section(
        f"frontend {one.name}",
        _PROBED,
        listeners,
        f"http-request return status 200 {answer} if {{ {count} gt 0 }}",
        f"http-request return status 503 {answer}",
    )


def frontend(one: Published, taken: Collection[Bind]) -> str:
    """Return the frontend of a port, "" when it can listen nowhere."""
    listeners = _listeners(one, taken)
    if not listeners:
        return ""
    guards = [f"tcp-request connection reject if {{ nbsrv({one.name}) eq 0 }}"]
    if one.sources and one.balancers:
        guards += haproxy.sources("allowed", one.sources)
        guards.append(f"tcp-request connection reject if {{ dst {' '.join(one.balancers)} }} !allowed")
    if one.node:
        # Not by the address: Docker's rules put another one of this machine in its place on the way.
        guards.append(f"tcp-request connection reject if {{ dst {one.node} }} !{{ src_is_local }}")
    return section(f"frontend {one.name}", listeners, guards, f"default_backend {one.name}")


def backend(one: Published, slots: Sequence[Target | None]) -> str:
    """Return the backend of a port: clients keep their endpoint by their address where that is wanted."""
    kept: tuple[str, ...] = ()
    if one.affinity_seconds:
        kept = haproxy.remembered(one.affinity_seconds)
    return haproxy.backend(one.name, slots, "balance roundrobin", *kept)


def taken(ports: Iterable[Port], busy: Collection[Bind], own: Collection[Bind]) -> frozenset[Bind]:
    """Return the wanted binds that others listen on; ``own`` are ours, ``busy`` all of this machine."""
    everywhere = {port for address, port in busy if address == ANY and (address, port) not in own}
    wanted = {bind for one in ports for bind in one.binds} - set(own)
    return frozenset(bind for bind in wanted if bind in busy or bind[1] in everywhere)


def refusals(
    ports: Iterable[Port], taken: Collection[Bind], services: Mapping[Key, Object]
) -> tuple[api.RecordEvent, ...]:
    """Return the events that say which ports of which Services another process has."""
    found = []
    for one in ports:
        for address, port in sorted(set(one.binds) & set(taken)):
            words = f"{address}:{port} is in use by another process of this machine"
            found.append(publisher.taken(services[one.service], words))
    return tuple(found)


def unenforced(service: Object, address: str) -> tuple[api.RecordEvent, ...]:
    """Return a warning about each wish of the Service that the proxy does not fulfil, publishing there.

    Clients of this machine, all that come to a loopback address, bear the machine's address in pods anyway.
    """
    local = objects.spec(service).get("externalTrafficPolicy") == "Local"
    if not local or address.startswith(LOOPBACK):
        return ()
    words = f"{publisher.HIDDEN_CLIENT}: pods see this machine's address, not those of clients elsewhere"
    return (publisher.warning(service, "NotEnforced", words),)


def listens_at(configuration: str) -> frozenset[Bind]:
    """Return where a configuration has the process listen."""
    found = set()
    for line in configuration.splitlines():
        keyword, _, where = line.strip().partition(" ")
        address, _, port = where.partition(":")
        if keyword == "bind" and port.isdigit():
            found.add((address, int(port)))
    return frozenset(found)
