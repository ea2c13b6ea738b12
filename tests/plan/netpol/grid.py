"""Three namespaces with three pods each, as in Kubernetes' own tests of NetworkPolicy, and what they may reach."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from minikctl.model import objects
from minikctl.plan import netpol, netpol_verdict, netpol_view
from tests.packets.policies import Flow, passes, table_of
from tests.packets.tracer import Table

NODE = "10.1.0.1"
OUTSIDE = "192.0.2.7"  # documentation addresses: nobody's
NAMES = ("a", "b", "c")
SPACES = ("x", "y", "z")
NAMED = tuple((f"serve-{port}-{proto}", port, proto) for port in (80, 81) for proto in ("tcp", "udp", "sctp"))


def policy(name: str = "policy", namespace: str = "x", **spec: Any) -> dict[str, Any]:
    """Return a NetworkPolicy."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }


def pod(namespace: str, name: str, ip: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a running pod that serves 80 and 81 by all protocols, under names."""
    ports = [{"name": one, "containerPort": port, "protocol": proto.upper()} for one, port, proto in NAMED]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"pod": name, **(labels or {})}},
        "spec": {"containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


@dataclass
class Grid:
    """The pods and the labels of their namespaces; a test may change both."""

    policies: list[dict[str, Any]] = field(default_factory=list)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, (space, name) in enumerate(itertools.product(SPACES, NAMES)):
            self.pods.setdefault(f"{space}/{name}", pod(space, name, f"10.1.0.{number + 11}"))
        for space in SPACES:
            self.namespaces.setdefault(space, {"ns": space, "kubernetes.io/metadata.name": space})

    def copy(self) -> Grid:
        """Return a grid that can be changed without changing this one."""
        return copy.deepcopy(self)

    def ip(self, end: str) -> str:
        """Return the address of an end: a pod by its name, or an address."""
        return str(self.pods[end]["status"]["podIP"]) if end in self.pods else end

    def state(self) -> netpol.State:
        """Return what the compiler is given."""
        return netpol.State(
            tuple(map(netpol_view.policy, self.policies)),
            {
                objects.key(one): (netpol_view.kin(one), netpol_view.address(one))
                for one in self.pods.values()
                if netpol_view.is_enforced(one)
            },
            {name: tuple(sorted(labels.items())) for name, labels in self.namespaces.items()},
            (NODE,),
        )

    def tables(self) -> dict[str, Table]:
        """Return the tables of all pods."""
        compiler = netpol.Compiler(self.state())
        return {name: table_of(compiler.table(objects.key(one))) for name, one in self.pods.items()}

    def end(self, end: str) -> netpol_verdict.End:
        """Return one end as the oracle sees it."""
        return netpol_verdict.End(self.ip(end), self.pods.get(end), node=end == NODE)

    def oracle(self, source: str, target: str, port: int, protocol: str) -> netpol_verdict.Verdict:
        """Return the oracle's word."""
        world = netpol_verdict.World(tuple(self.policies), self.namespaces)
        connection = netpol_verdict.Connection(self.end(source), self.end(target), port, protocol.upper())
        return netpol_verdict.judge(world, connection)

    def ends(self) -> list[str]:
        """Return all pods, the node and an address outside."""
        return [*self.pods, NODE, OUTSIDE]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield all pairs of ends of which one is a pod."""
        for source, target in itertools.product(self.ends(), repeat=2):
            if source in self.pods or target in self.pods:
                yield source, target


@dataclass
class Traced:
    """A grid with its compiled tables: asks packets and oracle alike."""

    grid: Grid

    def __post_init__(self) -> None:
        self.tables = self.grid.tables()

    def allowed(self, source: str, target: str, port: int = 80, protocol: str = "tcp") -> bool:
        """Tell whether a connection passes; packet and oracle must agree."""
        flow = Flow(self.grid.ip(source), self.grid.ip(target), port, protocol)
        by_packet = passes(flow, self.tables.get(source), self.tables.get(target))
        verdict = self.grid.oracle(source, target, port, protocol)
        assert by_packet == verdict.allowed, f"{source} -> {target}:{port}/{protocol}: {by_packet} {verdict}"
        return by_packet

    def agree(self, probes: list[tuple[int, str]]) -> int:
        """Ask for all pairs; return how many connections are allowed."""
        return sum(
            self.allowed(source, target, port, protocol)
            for source, target in self.grid.pairs()
            for port, protocol in probes
        )
