"""What policy enforcement reads of NetworkPolicies and pods, frozen and hashable.

Semantics: networking.k8s.io/v1 ``types.go`` and the NetworkPolicy page of the Kubernetes documentation.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from minikctl.model import objects, selectors
from minikctl.model.objects import Key, Object
from minikctl.model.selectors import Selector
from minikctl.plan import readiness

INGRESS, EGRESS = "Ingress", "Egress"
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NamedPort:
    """A container port that has a name; ``protocol`` in lower case."""

    name: str
    protocol: str
    number: int


@dataclass(frozen=True)
class Kin:
    """All that policies can tell of a pod but its address: pods of one workload are the same kin."""

    namespace: str
    labels: Labels
    ports: tuple[NamedPort, ...] = ()

    def labelled(self) -> dict[str, str]:
        """Return the labels as a mapping."""
        return dict(self.labels)


@dataclass(frozen=True)
class Port:
    """What a rule says of ports; ``last`` 0 means every port, unless there is a ``name``."""

    protocol: str
    first: int = 0
    last: int = 0
    name: str = ""


@dataclass(frozen=True)
class Block:
    """An address range less others."""

    cidr: ipaddress.IPv4Network
    excepted: tuple[ipaddress.IPv4Network, ...] = ()


@dataclass(frozen=True)
class Peer:
    """Who may talk: pods by selectors, or a block of addresses.  Without ``namespaces``: the policy's own."""

    namespace: str
    pods: Selector | None = None
    namespaces: Selector | None = None
    block: Block | None = None


@dataclass(frozen=True)
class Rule:
    """One rule of a policy; ``peers`` and ``ports`` None mean any."""

    peers: tuple[Peer, ...] | None
    ports: tuple[Port, ...] | None


@dataclass(frozen=True)
class Policy:
    """A NetworkPolicy; the rules of a direction are None when it does not concern that direction."""

    namespace: str
    name: str
    selector: Selector
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None

    def rules(self, direction: str) -> tuple[Rule, ...] | None:
        """Return the rules of a direction, None when the policy does not isolate in it."""
        return self.ingress if direction == INGRESS else self.egress


def policy(obj: Object) -> Policy:
    """Return what a NetworkPolicy says."""
    spec = objects.spec(obj)
    namespace, name = objects.key(obj)
    types = spec.get("policyTypes") or default_types(spec)
    return Policy(
        namespace,
        name,
        selectors.of(spec.get("podSelector") or {}),
        _rules(spec.get("ingress"), "from", namespace) if INGRESS in types else None,
        _rules(spec.get("egress"), "to", namespace) if EGRESS in types else None,
    )


def default_types(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the directions of a policy that names none: always Ingress, and Egress if it has such rules."""
    return (INGRESS, EGRESS) if spec.get("egress") else (INGRESS,)


def _rules(listed: Any, field: str, namespace: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            tuple(_peer(one, namespace) for one in each[field]) if each.get(field) else None,
            tuple(map(_port, each["ports"])) if each.get("ports") else None,
        )
        for each in listed or ()
    )


def _peer(one: Mapping[str, Any], namespace: str) -> Peer:
    block = one.get("ipBlock")
    if block is not None:
        return Peer(namespace, block=_block(block))
    pods, namespaces = one.get("podSelector"), one.get("namespaceSelector")
    return Peer(
        namespace,
        None if pods is None else selectors.of(pods),
        None if namespaces is None else selectors.of(namespaces),
    )


def _block(block: Mapping[str, Any]) -> Block | None:
    """Return the range; None for IPv6, which no pod here has an address of."""
    cidr = ipaddress.ip_network(str(block.get("cidr")), strict=False)
    if not isinstance(cidr, ipaddress.IPv4Network):
        return None
    excepted = [ipaddress.ip_network(str(one), strict=False) for one in block.get("except") or ()]
    return Block(cidr, tuple(one for one in excepted if isinstance(one, ipaddress.IPv4Network)))


def _port(one: Mapping[str, Any]) -> Port:
    protocol = str(one.get("protocol") or "TCP").lower()
    port = one.get("port")
    if port is None:
        return Port(protocol)
    if isinstance(port, str):
        return Port(protocol, name=port)
    return Port(protocol, int(port), int(one.get("endPort") or port))


def is_enforced(pod: Object) -> bool:
    """Tell whether policies concern the pod: one in the host's network counts as its node."""
    return not objects.spec(pod).get("hostNetwork")


def is_finished(pod: Object) -> bool:
    """Tell whether the pod has ended for good: its address may be another's by now."""
    return readiness.is_finished(pod)


def kin(pod: Object) -> Kin:
    """Return what policies can tell of the pod besides its address."""
    return Kin(objects.namespace(pod), tuple(sorted(objects.labels(pod).items())), tuple(_named(pod)))


def _named(pod: Object) -> Iterable[NamedPort]:
    """Yield the named ports in the order in which they are looked up: containers, then sidecars."""
    spec = objects.spec(pod)
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name"):
                protocol = str(port.get("protocol") or "TCP").lower()
                yield NamedPort(str(port["name"]), protocol, int(port["containerPort"]))


def address(pod: Object) -> str:
    """Return the address at which the pod can be met as far as policies go, "" if it has none (any more)."""
    return "" if is_finished(pod) or not is_enforced(pod) else readiness.address(pod)


Members = Mapping[Key, tuple[Kin, str]]
"""Pods by (namespace, name): their kin, and their address or ""."""
