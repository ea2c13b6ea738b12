"""NodePort and LoadBalancer Services made reachable: one container per Service publishes its ports.

The engine fixes a container's ports when it is created, so other ports mean another container.  In its
network namespace the kernel forwards to the endpoints; which those are may change at any time.  Where the
engine's host is this machine, TCP is left to one proxy for all Services (see ``plan.publisher_haproxy``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from minikctl.model import objects
from minikctl.model.actions import api, network
from minikctl.model.containers import LOW_PORTS, NO_SCTP, SCTP, Container, ContainerSpec, PortBinding
from minikctl.plan import loadbalancer, proxy, proxy_view
from minikctl.plan.proxy import Chain, Compiled, Frontend, Ruleset

FAILED = "PublishFailed"
PUBLISHED = "Published"
NOT_PUBLISHED = "NotPublished"
"""Reasons of events: the ports could not be published, are in the end, and cannot be on this machine."""
COMPONENT = "service-publisher"
PORTS = "ports"
PORT_TYPE = "inet_proto . inet_service"
HASH_LABEL = "minikctl.dev/spec-hash"
_ENDPOINT = re.compile(r" on endpoint \S+ \([0-9a-f]{64}\)")
TCP = frozenset({"tcp"})
OTHERS = frozenset({"udp", SCTP})
ALL = TCP | OTHERS
PUBLISHED_TYPES = ("NodePort", "LoadBalancer")
HELD = (
    "another Service, or Ingress, has the port, and a rootless engine publishes a port at one address only; "
    "take the node port, or another port"
)
HIDDEN_CLIENT = "externalTrafficPolicy: Local does not keep the client's address here"


@dataclass(frozen=True)
class Place:
    """Where publishers run, and what they publish; ``labels`` mark them as this cluster's publishers."""

    cluster: str
    network: str
    image: str
    address: str
    labels: tuple[tuple[str, str], ...] = ()
    protocols: frozenset[str] = ALL
    lowest_port: int = 0
    """The first port that the engine can publish, 0 if it can publish all."""


@dataclass(frozen=True)
class View:
    """A Service, None when it is gone, and the publishers that bear its name.

    ``no_sctp``: the engine has said that it cannot publish ports of SCTP; ``sctp``: as far as is known it
    can.
    """

    key: objects.Key
    service: objects.Object | None
    publishers: tuple[Container, ...]
    place: Place
    no_sctp: bool = False
    sctp: bool = False
    held: frozenset[tuple[str, int]] = frozenset()
    """(protocol, port) that others publish, where an engine can publish each at one address only."""


def compile_rules(
    service: objects.Object | None, slices: Iterable[objects.Object], subnet: str = ""
) -> Compiled:
    """Return the rules of a Service's publisher: forward its ports to the endpoints, and nothing else.

    The packets leave with the publisher's address, so that answers come back through it.  With ``subnet``
    only endpoints within it are forwarded to.
    """
    pieces = proxy_view.slices_by_service(slices)
    ports = proxy_view.ports_of(service, pieces.get(objects.key(service), ())) if service else []
    chains: dict[str, Chain] = {}
    clients: dict[str, int] = {}
    frontends = []
    udp: dict[tuple[str, int], frozenset[proxy_view.Target]] = {}
    for port in ports:
        targets = proxy_view.within(port.outside_targets(), subnet)
        if targets:
            frontend = Frontend("", port.protocol, port.port, targets, proxy.chain_name(port))
            frontends.append(frontend)
            udp |= proxy.udp_answers(port, frontend)
            chains |= proxy.port_chains(port, frontend.chain, targets, clients)
    ruleset = Ruleset(
        types={PORTS: PORT_TYPE},
        maps={PORTS: {f"{one.protocol} . {one.port}": f"goto {one.chain}" for one in frontends}},
        clients=clients,
        chains=chains | _base_chains(),
    )
    return Compiled(ruleset, udp, targets=proxy.targets_of(frontends))


def _base_chains() -> dict[str, Chain]:
    return {
        "nat-prerouting": Chain(
            (f"meta l4proto . th dport vmap @{PORTS}",),
            "type nat hook prerouting priority -100; policy accept;",
        ),
        "nat-postrouting": Chain(
            ("ct status dnat masquerade",), "type nat hook postrouting priority 100; policy accept;"
        ),
        "filter-forward": Chain(
            ("ct status dnat accept",), "type filter hook forward priority 0; policy drop;"
        ),
    }


def bindings(service: objects.Object, address: str, protocols: frozenset[str]) -> tuple[PortBinding, ...]:
    """Return what is to be published: node ports at ``address``, every port at each load balancer address."""
    spec = objects.spec(service)
    if objects.is_deleting(service) or spec.get("type") not in PUBLISHED_TYPES:
        return ()
    if proxy_view.is_elsewhere(service):
        return ()
    # The addresses of another class are published by whoever gave them.
    balancers = proxy_view.balancer_addresses(service) if loadbalancer.is_ours(service) else ()
    found = []
    for port in spec.get("ports") or ():
        number, protocol = int(port.get("port") or 0), str(port.get("protocol") or "TCP").lower()
        if protocol not in protocols:
            continue
        if port.get("nodePort"):
            found.append(PortBinding(number, protocol, address, int(port["nodePort"])))
        for balancer in balancers:
            found.append(PortBinding(number, protocol, balancer, number))
    return tuple(found)


def spec_hash(ports: Iterable[PortBinding], image: str) -> str:
    """Return what differs when the publisher has to be another one."""
    text = json.dumps([image, sorted(str(port) for port in ports)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def waits(view: View) -> bool:
    """Tell whether the Service's address will be there in a moment: ports are opened once."""
    service = view.service
    return service is not None and loadbalancer.is_ours(service) and not loadbalancer.addresses(service)


def desired(view: View) -> api.Plan:
    """Return what brings the Service's ports to the host: at most one publisher, with exactly its ports.

    Those of SCTP are left out, and told, where they cannot be published; the publisher's mark is that of all
    that are wanted, so that it is kept by whoever does not know yet that some cannot be, until they can.
    """
    if waits(view):
        return api.Plan()
    asked = bindings(view.service, view.place.address, view.place.protocols) if view.service else ()
    low = tuple(port for port in asked if port.host_port < view.place.lowest_port)
    held = tuple(port for port in asked if port not in low and (port.protocol, port.host_port) in view.held)
    ports = tuple(port for port in asked if port not in low + held)
    wanted = spec_hash(ports, view.place.image) if ports else ""
    kept = [one for one in view.publishers if wanted and one.labels.get(HASH_LABEL) == wanted]
    kept = [one for one in kept if one.status == "running" and one.ip]  # else it is off the network
    kept = [one for one in kept if not (view.sctp and _lacks_sctp(one, ports))][:1]
    removals = [network.RemovePublisher(one.id) for one in view.publishers if one not in kept]
    if view.service is None or kept or not asked:
        return api.Plan(actions=tuple(removals))
    lost = tuple(port for port in ports if view.no_sctp and port.protocol == SCTP)
    told = [*unenforced(view.service, view.place.protocols), *unpublished(view.service, lost)]
    told += _refused(view.service, low, LOW_PORTS.format(lowest=view.place.lowest_port))
    told += _refused(view.service, held, HELD)
    possible = tuple(port for port in ports if port not in lost)
    runs = [network.RunPublisher(container(view, view.service, possible, wanted))] if possible else []
    return api.Plan(actions=(*removals, *runs, *told))


def _lacks_sctp(made: Container, ports: Sequence[PortBinding]) -> bool:
    return any(one.protocol == SCTP for one in ports) and all(one.protocol != SCTP for one in made.ports)


def container(
    view: View, service: objects.Object, ports: tuple[PortBinding, ...], fingerprint: str
) -> ContainerSpec:
    """Return the publisher of these ports."""
    namespace, name = view.key
    place = view.place
    return ContainerSpec(
        name=f"mk_{place.cluster}_{namespace}_{name}_publisher_{objects.uid(service)[:8]}_{fingerprint}",
        image=place.image,
        labels={
            **dict(place.labels),
            "minikctl.dev/service-namespace": namespace,
            "minikctl.dev/service-name": name,
            "minikctl.dev/service-uid": objects.uid(service),
            HASH_LABEL: fingerprint,
        },
        entrypoint=("/pause",),
        hostname="publisher",
        network=place.network,
        ports=ports,
        cap_drop=("ALL",),
        sysctls=(("net.ipv4.ip_forward", "1"),),
        cpu_shares=2,
    )


def unenforced(service: objects.Object, protocols: frozenset[str]) -> list[api.RecordEvent]:
    """Return a warning about each wish of the Service that a publisher of these protocols does not fulfil."""
    spec = objects.spec(service)
    found = []
    if spec.get("externalTrafficPolicy") == "Local":
        found.append(f"{HIDDEN_CLIENT}: pods see the publisher's address, not the client's")
    if spec.get("healthCheckNodePort") and "tcp" in protocols:
        found.append("healthCheckNodePort is not served where Docker publishes the ports")
    if spec.get("loadBalancerSourceRanges"):
        found.append(
            "loadBalancerSourceRanges is not enforced: the ports answer to every client of this machine"
        )
    return [warning(service, "NotEnforced", text) for text in found]


def unpublished(service: objects.Object, lost: Sequence[PortBinding]) -> list[api.RecordEvent]:
    """Return a warning about ports of SCTP that nothing on the engine's machine can listen on."""
    if not lost:
        return []
    where = ", ".join(f"{port.host_ip}:{port.host_port}" for port in lost)
    text = f"SCTP is not published at {where}: {NO_SCTP}; pods reach the Service all the same"
    return [warning(service, NOT_PUBLISHED, text)]


def _refused(service: objects.Object, ports: Sequence[PortBinding], why: str) -> list[api.RecordEvent]:
    if not ports:
        return []
    where = ", ".join(f"{port.host_ip}:{port.host_port}" for port in ports)
    return [warning(service, NOT_PUBLISHED, f"{where} is not published: {why}")]


def held_by_others(
    service: objects.Object, services: Iterable[objects.Object], place: Place
) -> frozenset[tuple[str, int]]:
    """Return (protocol, port) of what older Services publish, at whatever address."""
    own = _seniority(service)
    return frozenset(
        (port.protocol, port.host_port)
        for other in services
        if _seniority(other) < own
        for port in bindings(other, place.address, place.protocols)
    )


def _seniority(service: objects.Object) -> tuple[str, objects.Key]:
    return str(objects.meta(service).get("creationTimestamp") or ""), objects.key(service)


def warning(service: objects.Object, reason: str, message: str) -> api.RecordEvent:
    """Return a Warning event about the Service."""
    return api.RecordEvent(service, "Warning", reason, message, COMPONENT)


def published(service: objects.Object) -> api.RecordEvent:
    """Return the event that says that ports are published after all."""
    text = "the Service's ports are published"
    return api.RecordEvent(service, "Normal", PUBLISHED, text, COMPONENT)


def failing(told: Iterable[objects.Object]) -> frozenset[str]:
    """Return of which Services, by uid, these Events say last that ports could not be published."""
    last: dict[str, str] = {}
    for event in sorted(told, key=lambda one: (str(one.get("lastTimestamp") or ""), objects.name(one))):
        if event.get("reason") in (FAILED, PUBLISHED):
            last[str((event.get("involvedObject") or {}).get("uid") or "")] = str(event["reason"])
    return frozenset(uid for uid, reason in last.items() if reason == FAILED)


def taken(service: objects.Object, words: str) -> api.RecordEvent:
    """Return the event that says in the engine's words why the ports could not be published."""
    # The container's id is another one in each attempt: without it equal events are counted as one.
    said = _ENDPOINT.sub("", words)
    return warning(service, FAILED, f"publishing the Service's ports failed: {said}")
