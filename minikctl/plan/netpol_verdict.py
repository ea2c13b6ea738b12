"""Whether NetworkPolicies allow a connection, and which rule says so: read off the objects, rule by rule.

Written apart from the compiler (``netpol``), straight after the documentation, so that one can be held
against the other: it shares neither its views nor its way of joining policies.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.objects import Object


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or an address that is no pod's.

    ``node`` marks what counts as the node itself, such as pods in the host's network.
    """

    ip: str
    pod: Object | None = None
    node: bool = False

    def __str__(self) -> str:
        return "/".join(objects.key(self.pod)) if self.pod else self.ip


@dataclass(frozen=True)
class Connection:
    """A connection at the addresses that pods see: Services are translated already."""

    source: End
    target: End
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class World:
    """The objects that decide; ``namespaces`` are the labels of namespaces by name."""

    policies: tuple[Object, ...]
    namespaces: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Decision:
    """What one direction says: ``rule`` is the first that allows; ``isolating`` who isolates the pod."""

    direction: str
    allowed: bool
    reason: str
    isolating: tuple[str, ...] = ()
    policy: str = ""
    rule: int | None = None


@dataclass(frozen=True)
class Verdict:
    """Both directions; a connection needs both."""

    egress: Decision
    ingress: Decision

    @property
    def allowed(self) -> bool:
        """Tell whether the connection is allowed."""
        return self.egress.allowed and self.ingress.allowed


def judge(world: World, connection: Connection) -> Verdict:
    """Return what the policies say of a connection."""
    return Verdict(_direction(world, connection, "Egress"), _direction(world, connection, "Ingress"))


def _direction(world: World, connection: Connection, direction: str) -> Decision:
    outward = direction == "Egress"
    subject, peer = (
        (connection.source, connection.target) if outward else (connection.target, connection.source)
    )
    if subject.pod is None or subject.node:
        return Decision(direction, True, f"{subject} is not a pod that policies select")
    if subject.ip == peer.ip:
        return Decision(direction, True, "a pod always reaches itself")
    if peer.node:
        return Decision(direction, True, "a pod and its node always reach each other")
    concerned = [
        one for one in world.policies if _selects(one, subject.pod) and direction in directions_of(one)
    ]
    if not concerned:
        return Decision(direction, True, f"no policy isolates {subject} for {direction.lower()}")
    names = tuple(objects.name(one) for one in concerned)
    for policy in concerned:
        listed = objects.spec(policy).get(direction.lower()) or ()
        for number, rule in enumerate(listed):
            if _allows(world, policy, rule, connection, outward):
                said = f"rule {number + 1} of {direction.lower()} in policy {objects.name(policy)} allows it"
                return Decision(direction, True, said, names, objects.name(policy), number)
    return Decision(direction, False, _denial(direction, subject, names), names)


def _denial(direction: str, subject: End, names: Sequence[str]) -> str:
    who = f"policy {names[0]} isolates" if len(names) == 1 else f"policies {', '.join(names)} isolate"
    return f"{who} {subject} for {direction.lower()}, and no rule allows it"


def directions_of(policy: Object) -> Sequence[str]:
    """Return the directions that a policy is about."""
    spec = objects.spec(policy)
    named = spec.get("policyTypes")
    if named:
        return list(named)
    return ["Ingress"] + (["Egress"] if spec.get("egress") else [])


def _selects(policy: Object, pod: Object) -> bool:
    if objects.namespace(policy) != objects.namespace(pod):
        return False
    return selectors.of(objects.spec(policy).get("podSelector") or {}).matches(objects.labels(pod))


def _allows(
    world: World, policy: Object, rule: Mapping[str, Any], connection: Connection, outward: bool
) -> bool:
    peers = rule.get("to" if outward else "from") or ()
    peer = connection.target if outward else connection.source
    if peers and not any(_names(world, policy, one, peer) for one in peers):
        return False
    ports = rule.get("ports") or ()
    return not ports or any(_has(one, connection) for one in ports)


def _names(world: World, policy: Object, peer: Mapping[str, Any], end: End) -> bool:
    block = peer.get("ipBlock")
    if block is not None:
        if not _inside(end.ip, block["cidr"]):
            return False
        return not any(_inside(end.ip, one) for one in block.get("except") or ())
    if end.pod is None or end.node:
        return False
    there = objects.namespace(end.pod)
    if peer.get("namespaceSelector") is None:
        if there != objects.namespace(policy):
            return False
    elif not selectors.of(peer["namespaceSelector"]).matches(world.namespaces.get(there, {})):
        return False
    wanted = peer.get("podSelector")
    return wanted is None or selectors.of(wanted).matches(objects.labels(end.pod))


def _inside(ip: str, cidr: str) -> bool:
    network = ipaddress.ip_network(cidr, strict=False)
    address = ipaddress.ip_address(ip)
    return address.version == network.version and address in network


def _has(port: Mapping[str, Any], connection: Connection) -> bool:
    if (port.get("protocol") or "TCP") != connection.protocol:
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        # A named port is one of the pod that is connected to, whatever the direction.
        pod = connection.target.pod
        return pod is not None and (wanted, connection.protocol, connection.port) in set(named_ports(pod))
    return int(wanted) <= connection.port <= int(port.get("endPort") or wanted)


def named_ports(pod: Object) -> Iterable[tuple[str, str, int]]:
    """Yield (name, protocol, number) of the pod's ports that have names."""
    spec = objects.spec(pod)
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        lasting = container in (spec.get("containers") or ()) or container.get("restartPolicy") == "Always"
        for port in container.get("ports") or ():
            if lasting and port.get("name"):
                yield str(port["name"]), str(port.get("protocol") or "TCP"), int(port["containerPort"])
