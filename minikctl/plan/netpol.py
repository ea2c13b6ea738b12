"""NetworkPolicy as data: the nft table that a pod's own namespace has to hold.

All policies that select a pod are joined into one table, so that the cost of a connection does not depend on
their number: the other side's address is looked up once, in a map of pods or, for what is no pod, in a map of
address ranges.  The answer is a chain that knows the ports, or a verdict.  Packets of connections that are
known pass before all that.

Directions are seen where addresses are those of pods: what a pod sends after Services were translated, what
it receives as it arrives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from minikctl.model.objects import Key
from minikctl.plan import netpol_ports
from minikctl.plan.netpol_ports import EVERYTHING, NOTHING, Ports, Range
from minikctl.plan.netpol_view import (
    EGRESS,
    INGRESS,
    Block,
    Kin,
    Labels,
    Members,
    Peer,
    Policy,
    Port,
    Rule,
)
from minikctl.plan.proxy import POLICY_EGRESS, POLICY_INGRESS, Chain, Ruleset

TABLE = "minikctl-policy"
NODES = "nodes"
NEIGHBOURS = (
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept"
)
LAST = 2**32 - 1

Group = tuple[Kin, tuple[Policy, ...]]


@dataclass(frozen=True)
class State:
    """All that decides: policies, pods, the labels of namespaces, and the node's own addresses."""

    policies: tuple[Policy, ...] = ()
    pods: Members = field(default_factory=dict)
    namespaces: Mapping[str, Labels] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


class Compiler:
    """Compiles the tables of pods for one state; what pods have in common is worked out once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_namespace: dict[str, list[Policy]] = {}
        for policy in state.policies:
            self._by_namespace.setdefault(policy.namespace, []).append(policy)
        self._kin: dict[Kin, list[str]] = {}
        for kin, address in state.pods.values():
            if address:
                self._kin.setdefault(kin, []).append(address)
        self._matches: dict[tuple[Peer, Kin], bool] = {}
        self._selecting: dict[Kin, tuple[Policy, ...]] = {}
        self._tables: dict[Group, Ruleset | None] = {}

    def table(self, pod: Key) -> Ruleset | None:
        """Return the table of a pod, None when no policy selects it (or when there is no such pod)."""
        found = self._state.pods.get(pod)
        if found is None:
            return None
        kin = found[0]
        policies = self._policies(kin)
        # Names of ports are all that the table depends on besides the policies.
        group = (Kin("", (), kin.ports), policies)
        if group not in self._tables:
            self._tables[group] = self._compiled(kin, policies) if policies else None
        return self._tables[group]

    def _policies(self, kin: Kin) -> tuple[Policy, ...]:
        if kin not in self._selecting:
            labels = kin.labelled()
            listed = self._by_namespace.get(kin.namespace, ())
            self._selecting[kin] = tuple(one for one in listed if one.selector.matches(labels))
        return self._selecting[kin]

    def _compiled(self, kin: Kin, policies: Sequence[Policy]) -> Ruleset:
        chains: dict[str, Chain] = {}
        types: dict[str, str] = {NODES: "ipv4_addr"}
        maps: dict[str, dict[str, str]] = {}
        ranges: set[str] = set()
        for direction in (INGRESS, EGRESS):
            listed = [rules for one in policies if (rules := one.rules(direction)) is not None]
            if not listed:
                continue
            name = direction.lower()
            by_pod, by_range = self._reach(kin, direction, [rule for rules in listed for rule in rules])
            maps[f"{name}-pods"] = {
                address: _verdict(ports, chains) for address, ports in sorted(by_pod.items())
            }
            maps[f"{name}-blocks"] = {span: _verdict(ports, chains) for span, ports in by_range.items()}
            types |= {f"{name}-pods": "ipv4_addr", f"{name}-blocks": "ipv4_addr"}
            ranges.add(f"{name}-blocks")
            chains[name] = base_chain(direction)
        return Ruleset(
            types=types,
            maps=maps,
            sets={NODES: frozenset(self._state.nodes)},
            chains=chains,
            table=TABLE,
            ranges=frozenset(ranges),
        )

    def _reach(
        self, kin: Kin, direction: str, rules: Sequence[Rule]
    ) -> tuple[dict[str, Ports], dict[str, Ports]]:
        """Return what the pods may talk to: {address of a pod: ports} where that differs from its range's."""
        blocks = _block_ports(rules, kin if direction == INGRESS else None)
        spans = Spans(blocks)
        naming = _naming_blocks(rules) if direction == EGRESS else []
        by_pod: dict[str, Ports] = {}
        for other, addresses in self._kin.items():
            named = kin if direction == INGRESS else other
            own = netpol_ports.joined(
                one
                for rule in rules
                if self._names(rule, other)
                for one in netpol_ports.resolved(rule.ports, named)
            )
            for address in addresses:
                base = spans.at(address)
                whole = netpol_ports.joined((*own, *base, *_named_at(naming, address, other)))
                if whole != base:
                    by_pod[address] = whole
        return by_pod, spans.elements()

    def _names(self, rule: Rule, other: Kin) -> bool:
        return rule.peers is None or any(self._is(peer, other) for peer in rule.peers)

    def _is(self, peer: Peer, other: Kin) -> bool:
        key = (peer, other)
        if key not in self._matches:
            self._matches[key] = matches(peer, other, self._state.namespaces)
        return self._matches[key]


def matches(peer: Peer, other: Kin, namespaces: Mapping[str, Labels]) -> bool:
    """Tell whether a peer's selectors name a pod; blocks of addresses name none."""
    if peer.pods is None and peer.namespaces is None:
        return False
    if peer.namespaces is None:
        if other.namespace != peer.namespace:
            return False
    elif not peer.namespaces.matches(dict(namespaces.get(other.namespace, ()))):
        return False
    return peer.pods is None or peer.pods.matches(other.labelled())


EVERYWHERE = Block(ipaddress.IPv4Network("0.0.0.0/0"))


def _block_ports(rules: Iterable[Rule], named: Kin | None) -> list[tuple[Block, Ports]]:
    """Return the blocks of addresses that rules name, each with the ports that this rule allows."""
    found = []
    for rule in rules:
        listed = [EVERYWHERE] if rule.peers is None else [one.block for one in rule.peers if one.block]
        ports = netpol_ports.resolved(rule.ports, named) if listed else NOTHING
        found += [(block, ports) for block in listed if ports]
    return found


def _naming_blocks(rules: Iterable[Rule]) -> list[tuple[Block, tuple[Port, ...]]]:
    """Return the blocks whose rules name ports: at each pod within, that is another number."""
    return [
        (peer.block, rule.ports)
        for rule in rules
        if rule.ports and any(port.name for port in rule.ports)
        for peer in rule.peers or ()
        if peer.block
    ]


def _named_at(naming: Iterable[tuple[Block, tuple[Port, ...]]], address: str, other: Kin) -> Iterator[Range]:
    for block, ports in naming:
        if _holds(block, ipaddress.IPv4Address(address)):
            yield from netpol_ports.resolved(ports, other)


class Spans:
    """All IPv4 addresses cut into spans within which the same ports are allowed."""

    def __init__(self, blocks: Sequence[tuple[Block, Ports]]) -> None:
        cuts = {0}
        for block, _ in blocks:
            for network in (block.cidr, *block.excepted):
                cuts |= {int(network.network_address), int(network.broadcast_address) + 1}
        self._blocks = blocks
        self._starts = sorted(cut for cut in cuts if cut <= LAST)
        self._cache: dict[frozenset[int], Ports] = {}
        self._ports = [self._allowed(start) for start in self._starts]

    def _allowed(self, number: int) -> Ports:
        address = ipaddress.IPv4Address(number)
        holding = frozenset(at for at, (block, _) in enumerate(self._blocks) if _holds(block, address))
        if holding not in self._cache:
            self._cache[holding] = netpol_ports.joined(one for at in holding for one in self._blocks[at][1])
        return self._cache[holding]

    def at(self, address: str) -> Ports:
        """Return the ports that are allowed at an address by blocks alone."""
        if len(self._starts) == 1:
            return self._ports[0]
        return self._allowed(int(ipaddress.IPv4Address(address)))

    def elements(self) -> dict[str, Ports]:
        """Return the spans in which anything is allowed, neighbours with equal ports as one."""
        found: list[tuple[int, int, Ports]] = []
        ends = [start - 1 for start in self._starts[1:]] + [LAST]
        for start, end, ports in zip(self._starts, ends, self._ports, strict=True):
            if found and found[-1][2] == ports:
                found[-1] = (found[-1][0], end, ports)
            else:
                found.append((start, end, ports))
        return {_span(start, end): ports for start, end, ports in found if ports}


def _holds(block: Block, address: ipaddress.IPv4Address) -> bool:
    return address in block.cidr and not any(address in one for one in block.excepted)


def _span(start: int, end: int) -> str:
    first, last = ipaddress.IPv4Address(start), ipaddress.IPv4Address(end)
    return str(first) if start == end else f"{first}-{last}"


def _verdict(ports: Ports, chains: dict[str, Chain]) -> str:
    """Return the verdict of a map's element; adds the chain that it goes to."""
    if ports == EVERYTHING:
        return "accept"
    name = netpol_ports.chain_name(ports)
    chains.setdefault(name, Chain(netpol_ports.chain_rules(ports)))
    return f"goto {name}"


def base_chain(direction: str) -> Chain:
    """Return the chain at the hook of a direction in which a pod is isolated.

    A pod always reaches itself, and it and its node always reach each other.  Where the packet goes is asked
    of the routing table: the interface that a hook tells is the one from before translation.
    """
    if direction == INGRESS:
        side, itself = "saddr", 'iif "lo" accept'
        hook = f"type filter hook prerouting priority {POLICY_INGRESS}; policy accept;"
    else:
        side, itself = "daddr", "fib daddr type local accept"
        hook = f"type filter hook output priority {POLICY_EGRESS}; policy accept;"
    name = direction.lower()
    rules = (
        "ct state established,related accept",
        itself,
        f"ip {side} @{NODES} accept",
        f"ip {side} vmap @{name}-pods",
        f"ip {side} vmap @{name}-blocks",
        NEIGHBOURS,
        "drop",
    )
    return Chain(rules, hook)
