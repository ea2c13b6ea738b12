"""Service routing as data: what the nft table of every pod's network namespace has to hold.

A connection to a Service meets one verdict map (address, protocol, port), so that its cost does not depend on
the number of Services, then its port's chain, which rewrites the destination.  Whatever still bears a service
address afterwards was not translated and is rejected: no packet for such an address leaves the namespace.

The table's hooks leave room for others: policy filters may sit at ``POLICY_INGRESS`` and ``POLICY_EGRESS``,
in tables of their own, where they see true pod addresses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model import objects
from minikctl.plan import egress, proxy_view
from minikctl.plan.proxy_view import ServicePort, Spot, Target

TABLE = "minikctl"
POLICY_INGRESS = -110
"""Priority at prerouting that is kept for policies."""
POLICY_EGRESS = 10
"""Priority at output that is kept for policies."""

LOCAL = "/local"
"""What a chain's name has in addition that leads to the node's own endpoints only."""
SERVICES = "services"
UNSERVED = "unserved"
SILENT = "silent"
"""Frontends whose packets are dropped if they were not translated: as kube-proxy does, not rejected."""
FRONTEND_TYPE = "ipv4_addr . inet_proto . inet_service"
DISPATCH = "ip daddr . meta l4proto . th dport vmap @services"
REJECT = ("meta l4proto tcp reject with tcp reset", "reject")


@dataclass(frozen=True)
class NodeProxy:
    """The proxy of a node that TCP connections to Services go through: where its listener for a chain is.

    Its address is "" while it does not run; then nobody is served, as nobody is by a chain without listener.
    """

    address: str
    ports: Mapping[str, int]

    def targets(self, chain: str) -> tuple[Target, ...]:
        """Return where connections of a chain go, nowhere if there is no listener for it."""
        port = self.ports.get(chain)
        return (Target(self.address, port),) if self.address and port else ()


@dataclass(frozen=True)
class Facts:
    """What the rules need to know of the cluster and of the node that they are for.

    ``ranges`` are the service range and the load balancer range; nothing in them is ever forwarded.  With a
    ``proxy`` TCP goes through it (the mode userspace), else straight to the endpoints.
    """

    ranges: tuple[str, ...]
    subnet: str
    egress: bool = True
    spot: Spot = proxy_view.ANYWHERE
    node_addresses: tuple[str, ...] = ()
    proxy: NodeProxy | None = None


@dataclass(frozen=True)
class Chain:
    """Rules in order; ``hook`` is the base chain's declaration or "" for a chain that others go to."""

    rules: tuple[str, ...]
    hook: str = ""


@dataclass(frozen=True)
class Ruleset:
    """One table: verdict maps {name: {key: verdict}}, sets of static elements, of timed clients, and chains.

    ``maps`` and ``sets`` have keys of ``types[name]``; ``clients`` are {name: seconds that an entry lasts};
    the keys of ``ranges`` may be ranges.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)
    chains: Mapping[str, Chain] = field(default_factory=dict)
    table: str = TABLE
    ranges: frozenset[str] = frozenset()


Answers = Mapping[tuple[str, int], frozenset[Target]]


@dataclass(frozen=True)
class Compiled:
    """The rules, for each UDP frontend the endpoints that may answer on its behalf, and the ranges to route.

    A frontend is (address, port); with the address "" it is that port of whatever address.  ``targets`` are
    the addresses that the rules lead to.
    """

    ruleset: Ruleset
    udp: Answers = field(default_factory=dict)
    ranges: tuple[str, ...] = ()
    targets: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Frontend:
    """An address at which a Service is met, and who serves there.

    ``sources`` limit who may use it; ``silent``: whoever it does not serve gets no answer at all.
    """

    address: str
    protocol: str
    port: int
    targets: tuple[Target, ...]
    chain: str
    sources: tuple[str, ...] = ()
    silent: bool = False

    @property
    def entrance(self) -> str:
        """Return the chain that packets go to first."""
        return f"{self.chain}/sources" if self.sources else self.chain

    @property
    def key(self) -> str:
        """Return the map key of this frontend."""
        return f"{self.address} . {self.protocol} . {self.port}"


def compile_pods(
    services: Iterable[objects.Object], slices: Iterable[objects.Object], facts: Facts
) -> Compiled:
    """Return the rules of every pod's namespace: they are the same for all pods at the spot of the facts."""
    chains: dict[str, Chain] = {}
    clients: dict[str, int] = {}
    frontends: list[Frontend] = []
    udp: dict[tuple[str, int], frozenset[Target]] = {}
    for port in proxy_view.service_ports(services, slices):
        for frontend in frontends_of(port, facts):
            udp |= udp_answers(port, frontend)
            if facts.proxy is not None and port.protocol == "tcp":
                port, frontend = proxied(port, frontend, facts.proxy)
            frontends.append(frontend)
            if frontend.targets and frontend.chain not in chains:
                chains |= port_chains(port, frontend.chain, frontend.targets, clients)
            if frontend.targets and frontend.sources:
                allowed = f"ip saddr {{ {', '.join(frontend.sources)} }} goto {frontend.chain}"
                chains[frontend.entrance] = Chain((allowed,))
    served = {one.key: f"goto {one.entrance}" for one in frontends if one.targets}
    silent = frozenset(one.key for one in frontends if one.silent)
    unserved = frozenset(one.key for one in frontends if one.key not in served) - silent
    ruleset = Ruleset(
        types={SERVICES: FRONTEND_TYPE, UNSERVED: FRONTEND_TYPE, SILENT: FRONTEND_TYPE},
        maps={SERVICES: served},
        sets={UNSERVED: unserved, SILENT: silent},
        clients=clients,
        chains=chains | base_chains(facts),
    )
    return Compiled(ruleset, udp, facts.ranges, targets_of(frontends))


def targets_of(frontends: Iterable[Frontend]) -> frozenset[str]:
    """Return the addresses that the frontends lead to."""
    return frozenset(target.ip for frontend in frontends for target in frontend.targets)


def frontends_of(port: ServicePort, facts: Facts) -> list[Frontend]:
    """Return where the port is met from inside a pod.

    Traffic to an outside address obeys the Cluster policy whatever externalTrafficPolicy says, as it comes
    from inside the cluster.
    """
    everyone = port.targets(facts.spot)
    name = chain_name(port)
    inside = Frontend("", port.protocol, port.port, everyone, name)
    if port.internal_local:
        local = port.local_targets(facts.spot.node)
        silent = bool(everyone and not local)
        inside = dataclasses.replace(inside, targets=local, chain=name + LOCAL, silent=silent)
    found = [dataclasses.replace(inside, address=address) for address in port.cluster_ips]
    outside = Frontend("", port.protocol, port.port, everyone, name)
    found += [dataclasses.replace(outside, address=address) for address in port.external_ips]
    guarded = dataclasses.replace(outside, sources=port.sources, silent=bool(port.sources and everyone))
    found += [dataclasses.replace(guarded, address=address) for address in port.balancer_ips]
    if port.node_port:
        for address in facts.node_addresses:
            found.append(Frontend(address, port.protocol, port.node_port, everyone, name))
    return found


def proxied(port: ServicePort, frontend: Frontend, proxy: NodeProxy) -> tuple[ServicePort, Frontend]:
    """Return the frontend with the node's proxy behind it, which has its own memory of clients."""
    targets = proxy.targets(frontend.chain) if frontend.targets else ()
    return dataclasses.replace(port, affinity_seconds=0), dataclasses.replace(frontend, targets=targets)


def chain_name(port: ServicePort) -> str:
    """Return the name of the chain of one service port, readable in ``nft list``."""
    return f"svc-{port.namespace}/{port.service}/{port.protocol}/{port.port}"


def port_chains(
    port: ServicePort, name: str, targets: Sequence[Target], clients: dict[str, int]
) -> dict[str, Chain]:
    """Return the chains that spread connections over the targets; adds the sets of clients that they use."""
    if not port.affinity_seconds:
        return {name: Chain((balance(port.protocol, targets),))}
    found: dict[str, Chain] = {}
    known: list[str] = []
    choices: list[str] = []
    for number, target in enumerate(targets):
        chain = f"{name}/{target.ip}/{target.port}"
        # The time is part of the name, as that of an existing set cannot be changed.
        remembered = f"{chain}/{port.affinity_seconds}s"
        clients[remembered] = port.affinity_seconds
        known.append(f"ip saddr @{remembered} goto {chain}")
        choices.append(f"{number} : goto {chain}")
        rewrite = f"meta l4proto {port.protocol} dnat ip to {target.ip}:{target.port}"
        found[chain] = Chain((f"update @{remembered} {{ ip saddr }}", rewrite))
    spread = f"numgen random mod {len(choices)} vmap {{ {', '.join(choices)} }}"
    return found | {name: Chain((*known, spread))}


def balance(protocol: str, targets: Sequence[Target]) -> str:
    """Return the rule that sends each new connection to one of the targets, each as likely as the other."""
    head = f"meta l4proto {protocol} dnat ip to"
    if len(targets) == 1:
        return f"{head} {targets[0].ip}:{targets[0].port}"
    entries = ", ".join(f"{number} : {one.ip} . {one.port}" for number, one in enumerate(targets))
    return f"{head} numgen random mod {len(targets)} map {{ {entries} }}"


def base_chains(facts: Facts) -> dict[str, Chain]:
    """Return the chains at the hooks: translation first, then what may not go on as it is."""
    rules = [
        # Only what was translated or allowed at its first packet is established: the others pay for one look.
        "ct state established accept",
        f"ip daddr . meta l4proto . th dport @{SILENT} drop",
        *(f"ip daddr {one} goto rejected" for one in facts.ranges),
        f"ip daddr . meta l4proto . th dport @{UNSERVED} goto rejected",
    ]
    if not facts.egress:
        rules += egress.rules(facts.subnet)
    return {
        "rejected": Chain(REJECT),
        "nat-output": Chain((DISPATCH,), "type nat hook output priority -100; policy accept;"),
        # Who is in the midst of the rules when they change finds the targets of the old ones gone. The kernel
        # asks the next chain only about packets that are not translated yet, and this one sees the new rules.
        "nat-output-again": Chain((DISPATCH,), "type nat hook output priority -99; policy accept;"),
        "filter-output": Chain(tuple(rules), "type filter hook output priority 0; policy accept;"),
    }


def udp_answers(port: ServicePort, frontend: Frontend) -> dict[tuple[str, int], frozenset[Target]]:
    """Return who may go on answering for a UDP frontend.

    As connections of TCP, flows outlive changes of policies and hints.  But they leave an endpoint that ends
    as soon as there is another: a question that it does not live to answer would be lost.
    """
    answers = port.answering() if port.protocol == "udp" else ()
    return {(frontend.address, frontend.port): frozenset(answers)} if answers else {}


def setup_commands(ranges: Sequence[str], ip: str, left: Sequence[str] = ()) -> tuple[tuple[str, ...], ...]:
    """Return the commands that give a pod its routes, and take those to the ranges that are ``left``.

    They choose the pod's own address as the source before translation, and exist even where no default route
    does.  Loopback addresses of load balancers need theirs in the local table, which is asked first.
    """
    found: list[tuple[str, ...]] = [("ip", "route", "flush", "exact", cidr) for cidr in left]
    for cidr in ranges:
        route = ("ip", "route", "replace", cidr, "dev", "eth0", "scope", "link", "src", ip)
        found.append((*route, "table", "local") if cidr.startswith("127.") else route)
    return tuple(found)
