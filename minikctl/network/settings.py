"""What the network needs to know of its cluster."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from minikctl.client.settings import ClusterSettings
from minikctl.plan import proxy
from minikctl.plan.proxy_view import ANYWHERE, Spot

PREFIX = "minikctl.dev/"
CLUSTER = PREFIX + "cluster"
ROLE = PREFIX + "role"
POD_NAMESPACE = PREFIX + "pod-namespace"
POD_NAME = PREFIX + "pod-name"
SERVICE_NAMESPACE = PREFIX + "service-namespace"
SERVICE_NAME = PREFIX + "service-name"
SPEC_HASH = PREFIX + "spec-hash"
PAUSE_ROLE = "pause"
PUBLISHER_ROLE = "publisher"


@dataclass(frozen=True)
class NetworkSettings:
    """The cluster's settings and what was found out when its engine network was made.

    ``api_server`` is where the relay pod finds the API, in HAProxy's words.
    ``directory`` is the cluster's state directory; ``infra_image`` a reference that is present.
    """

    cluster: ClusterSettings
    subnet: str
    gateway: str
    node: str
    directory: str
    infra_image: str
    host_resolver: tuple[str, ...] = ()
    shares_host: bool = False
    """The network of the engine's host is that of this machine."""
    api_server: str = ""
    relay_directory: str = ""
    """Tells the directory in which the API's socket is from one that was there before it."""
    proxy_threads: int = 1
    """Threads of each proxy for the cluster's traffic from outside."""
    lowest_port: int = 0
    """The first port that the engine can publish, 0 if it can publish all."""
    shares_ports: bool = False
    """The engine can publish a port at one address only, as rootless engines do."""

    @property
    def root(self) -> str:
        """Return the directory of all clusters' state."""
        return str(pathlib.PurePath(self.directory).parent.parent)

    @property
    def name(self) -> str:
        """Return the cluster's name."""
        return self.cluster.name

    @property
    def ingress_ports(self) -> tuple[int, int]:
        """Return where Ingress answers HTTP and HTTPS.

        High ports are not 8080, which Services want, and each cluster's own, as a rootless engine publishes a
        port at one address only.
        """
        number = int(self.cluster.ingress_ip.split(".")[2]) - 1
        return (80, 443) if self.lowest_port <= 80 else (10080 + number, 10443 + number)

    @property
    def fence(self) -> str:
        """Return the subnet beyond which nothing may be sent, "" if there is none."""
        return "" if self.cluster.egress else self.subnet

    @property
    def reserved(self) -> tuple[str, ...]:
        """Return the ranges of pods and load balancers, which no range of cluster addresses may overlap."""
        return self.subnet, self.cluster.load_balancer_range

    def facts(self, node_addresses: tuple[str, ...], spot: Spot = ANYWHERE) -> proxy.Facts:
        """Return what rules of pods at that spot depend on, besides Services and their endpoints."""
        return proxy.Facts(
            ranges=(self.cluster.service_cidr, self.cluster.load_balancer_range),
            subnet=self.subnet,
            egress=self.cluster.egress,
            spot=spot,
            node_addresses=node_addresses,
        )
