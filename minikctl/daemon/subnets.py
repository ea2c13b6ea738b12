"""The cluster's engine network: found again, or made where it collides with nothing."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable, Iterator, Sequence

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.drivers import engine as engines
from minikctl.drivers import ownership
from minikctl.drivers import routes as route_tables
from minikctl.plan.cni import ranges

logger = logging.getLogger(__name__)

Subnet = ipaddress.IPv4Network

FIRST, LAST, PREFIX = 201, 250, 20
SIMULATED = "10.128.0.0/10"
"""Of a simulated cluster, whose pods are many and reach nobody: it collides with nothing."""


async def ensure(
    engine: engines.Engine,
    settings: ClusterSettings,
    state: str,
    routes: route_tables.Routes,
    rivals: Iterable[str] = (),
) -> engines.Network:
    """Return the cluster's network, made if need be; ``DriverError`` says why there is none.

    ``state`` is the cluster's state directory; a cluster of that name which belongs to another is refused,
    such as to one of ``rivals``.
    """
    present = await engine.networks()
    ownership.refuse_other(present, settings.name, state, rivals)
    for network in present:
        if network.name == settings.network:
            return network
    length = ranges.prefix(settings.nodes) if settings.pod_network == "cni" else PREFIX
    chosen = settings.pod_cidr or (SIMULATED if settings.runtime == "sim" else "")
    if chosen:
        return await _make(engine, settings, state, chosen)
    taken = [subnet for network in present if (subnet := parsed(network.subnet))]
    problem: errors.DriverError | None = None
    for candidate in free(taken + route_tables.ranges(routes), length):
        try:
            return await _make(engine, settings, state, str(candidate))
        except errors.EngineUnavailable:
            raise
        except errors.DriverError as error:
            # Something that we could not see has it; the next one may do.
            logger.info("network %s: %s", candidate, error)
            problem = error
    raise problem or errors.DriverError(f"no free network within 10.{FIRST}.0.0-10.{LAST}.255.255")


async def _make(
    engine: engines.Engine, settings: ClusterSettings, state: str, subnet: str
) -> engines.Network:
    pool = ranges.split(subnet, settings.nodes).engine if settings.pod_network == "cni" else ""
    return await engine.create_network(
        settings.network, subnet, ownership.labels(settings.name, state), pool=pool
    )


def free(taken: Sequence[Subnet], length: int = PREFIX) -> Iterator[Subnet]:
    """Yield the ranges for pods that overlap with none of those that are taken."""
    for second in range(FIRST, LAST + 1):
        candidate = ipaddress.IPv4Network(f"10.{second}.0.0/{length}")
        if not any(candidate.overlaps(subnet) for subnet in taken):
            yield candidate


def parsed(text: str) -> Subnet | None:
    """Return the IPv4 range that a text names, None if it names none."""
    try:
        return ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        return None


def collision(routes: route_tables.Routes, network: engines.Network) -> str:
    """Return which route of this machine leads past the cluster's network, in words; "" if none.

    Routes that came after the network may do so: those of a VPN.  Where the network is no bridge of this
    machine there is nothing to tell.
    """
    whole = ipaddress.IPv4Network(network.subnet)
    found = routes.all()
    own = ipaddress.IPv4Network(network.gateway)
    bridge = next((route.interface for route in found if route.local and route.subnet == own), 0)
    if not bridge:
        return ""
    others = [r.subnet for r in found if r.interface != bridge and not r.local and r.subnet.overlaps(whole)]
    for subnet in (whole, *others):
        inside = subnet if subnet.prefixlen > whole.prefixlen else whole
        # Near its end: the bridge's own address is at the beginning.
        leads = routes.interface(str(inside[-2 if inside.num_addresses > 1 else 0]))
        if leads != bridge:
            return (
                f"this machine's route to {subnet} leads to {route_tables.name(leads)}, although pods have "
                f"addresses of {network.subnet}: published ports, Ingress and probes do not reach them"
            )
    return ""
