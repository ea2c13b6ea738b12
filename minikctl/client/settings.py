"""What was decided when a cluster was made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ClusterSettings:
    """What was decided when the cluster was made; ``slot`` makes its loopback addresses its own."""

    name: str
    runtime: str = "docker"
    service_cidr: str = "10.96.0.0/16"
    pod_cidr: str = ""
    domain: str = "cluster.local"
    slot: int = 1
    api_port: int = 0
    egress: bool = True
    publish: str = "127.0.0.1"
    unsafe_sysctls: str = ""
    """Which sysctls pods may set beside the safe ones, as ``kernel.msg*,net.core.somaxconn``."""
    nodes: int = 1
    node_capacity: str = ""
    """What each node is said to have, as ``cpu=2,memory=4Gi,pods=50``; what is not named is its share."""
    pod_network: str = "docker"
    """Who gives pods their network: docker, or cni (plugins)."""
    cni_conf: str = ""
    """Where the configuration of CNI plugins is, a directory or a file; "" for the built-in one."""
    cni_path: str = "/usr/lib/cni:/opt/cni/bin"
    """The directories that CNI plugins' programs are looked for in."""
    proxy_mode: str = "nftables"
    """Who takes TCP connections to Services to an endpoint: nftables (rules), or userspace (a proxy)."""

    @property
    def node_names(self) -> tuple[str, ...]:
        """Return the names of the cluster's nodes; the first is the machine's own."""
        first = f"minikctl-{self.name}"
        return (first, *(f"{first}-{number}" for number in range(2, self.nodes + 1)))

    @property
    def kubernetes_ip(self) -> str:
        """Return the address of Service ``kubernetes``: the first of the service range."""
        return _address(self.service_cidr, 1)

    @property
    def dns_ip(self) -> str:
        """Return the address of cluster DNS: the tenth of the service range."""
        return _address(self.service_cidr, 10)

    @property
    def ingress_ip(self) -> str:
        """Return the loopback address at which Ingress answers."""
        return f"127.0.{self.slot}.1"

    @property
    def load_balancer_range(self) -> str:
        """Return the loopback range from which LoadBalancer Services get addresses."""
        return f"127.0.{self.slot}.0/24"

    @property
    def last_loopback(self) -> str:
        """Return the cluster's own loopback address that is neither Ingress' nor a Service's."""
        return f"127.0.{self.slot}.255"

    @property
    def network(self) -> str:
        """Return the name of the cluster's engine network."""
        return f"minikctl-{self.name}"

    def pods_network(self, node: str) -> str:
        """Return what a node's pods are connected to: the engine network, or what plugins make there."""
        return f"cni:{node}" if self.pod_network == "cni" else self.network


def _address(cidr: str, number: int) -> str:
    head = cidr.partition("/")[0].split(".")
    return ".".join([*head[:3], str(int(head[3]) + number)])
