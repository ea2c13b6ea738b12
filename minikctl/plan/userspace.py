"""The older mode of Service routing: a proxy on each node accepts connections and picks the endpoint.

Rules in pods lead a Service's TCP ports to listeners of the node's proxy, one port for each.  It spreads
connections round robin, tries another endpoint when one refuses, and endpoints see its address instead of the
client's: as kube-proxy's mode of that name did (its four attempts too).  UDP and SCTP stay with the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from minikctl.model import objects
from minikctl.model.actions import api
from minikctl.plan import haproxy, proxy, proxy_view
from minikctl.plan.haproxy import CONFIG, Rendered, Slots, section
from minikctl.plan.proxy_view import Spot, Target

MODE = "userspace"
MODE_ANNOTATION = "minikctl.dev/proxy-mode"
"""What the proxies' pods and their DaemonSet say of themselves."""
DAEMON_SET = ("kube-system", "kube-proxy")
PROTOCOL = "tcp"
FIRST_PORT, LAST_PORT = 11000, 32767
"""The listeners' ports: below those from which the proxy itself connects, above those of its state."""
HEALTH_PORT, STATUS_PORT, MEMORY_PORT = 10256, 10249, 10257
"""The first two are kube-proxy's; at the third what is known of clients is handed on in a reload."""
_BIND = re.compile(r"^frontend (\S+)\n  bind :(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Listener:
    """A port of a Service as a node's proxy serves it; ``chain`` is that of the rules which lead to it."""

    chain: str
    targets: tuple[Target, ...]
    affinity_seconds: int = 0

    @property
    def name(self) -> str:
        """Return the name of its frontend and backend."""
        return name_of(self.chain)


@dataclass(frozen=True)
class Place:
    """Where the process sees its sockets' directory, and how many threads it has."""

    sockets: str = haproxy.SOCKETS
    threads: int = 1


def name_of(chain: str) -> str:
    """Return the name of the frontend that a chain of the rules leads to: it may have no slash, but "_"."""
    return chain.replace("/", "_")


def chain_of(name: str) -> str:
    """Return the chain that leads to a frontend; names of objects have neither of the two signs."""
    return name.replace("_", "/")


def listeners(
    services: Iterable[objects.Object], slices: Iterable[objects.Object], spot: Spot
) -> tuple[Listener, ...]:
    """Return what that node's proxy serves: also ports without endpoints, as these may come at any time."""
    found = []
    for port in proxy_view.service_ports(services, slices):
        if port.protocol != PROTOCOL:
            continue
        name = proxy.chain_name(port)
        found.append(Listener(name, port.targets(spot), port.affinity_seconds))
        if port.internal_local:
            local = port.local_targets(spot.node)
            found.append(Listener(name + proxy.LOCAL, local, port.affinity_seconds))
    return tuple(found)


def allot(held: Mapping[str, int], chains: Sequence[str], after: int) -> tuple[Mapping[str, int], int]:
    """Return the port for each chain, and the one that was given last; ``after`` is that of the time before.

    Who has a port keeps it.  Others get the next ones in a circle, so that a port which was given back is not
    soon another's: rules may lead there for some milliseconds more.  When no port is left they get none.
    """
    kept = {chain: held[chain] for chain in chains if chain in held}
    used = set(kept.values())
    circle = [*range(after + 1, LAST_PORT + 1), *range(FIRST_PORT, after + 1)]
    free = (port for port in circle if port not in used)
    given = dict(zip((chain for chain in chains if chain not in held), free, strict=False))
    return kept | given, next(reversed(given.values()), after)


def bound(configuration: str) -> dict[str, int]:
    """Return the port for each chain, as a configuration has them."""
    return {
        chain_of(name): int(port)
        for name, port in _BIND.findall(configuration)
        if FIRST_PORT <= int(port) <= LAST_PORT
    }


def render(found: Sequence[Listener], ports: Mapping[str, int], slots: Slots, place: Place) -> Rendered:
    """Return the configuration that serves the listeners which have a port."""
    served = [one for one in found if one.chain in ports]
    assigned = {one.name: haproxy.assign(slots.get(one.name, ()), one.targets) for one in served}
    structure = haproxy.digest(configuration(served, ports, haproxy.emptied(assigned), place))
    return Rendered({CONFIG: configuration(served, ports, assigned, place)}, assigned, structure)


DEFAULTS = (
    "mode tcp",
    # With the tries below so long a client waits at most for endpoints that keep silent.
    "timeout connect 1s",
    *haproxy.LASTING,
)


def configuration(found: Sequence[Listener], ports: Mapping[str, int], slots: Slots, place: Place) -> str:
    """Return haproxy.cfg."""
    parts = [
        # Connections outlive reloads in the processes that have them; so many of those may be left at once.
        haproxy.process(place.sockets, place.threads, "mworker-max-reloads 30", haproxy.LOCAL_PEER),
        section("defaults", DEFAULTS),
        haproxy.memory("127.0.0.1", MEMORY_PORT),
        *state(),
    ]
    for one in found:
        guard = f"tcp-request connection reject if {{ nbsrv({one.name}) eq 0 }}"
        bind = f"bind :{ports[one.chain]}"
        parts += [section(f"frontend {one.name}", bind, guard, f"default_backend {one.name}")]
        parts += [backend(one, slots[one.name])]
    return "\n".join(parts)


def state() -> Iterator[str]:
    """Yield what tells how the proxy is, where kube-proxy does: its health, its mode and its metrics."""
    text = "http-request return status 200 content-type text/plain string"
    missing = "http-request return status 404"
    yield section("frontend healthz", "mode http", f"bind :{HEALTH_PORT}", haproxy.HEALTHY, missing)
    mode = f"{text} {MODE} if {{ path /proxyMode }}"
    metrics = "http-request use-service prometheus-exporter if { path /metrics }"
    yield section("frontend status", "mode http", f"bind 127.0.0.1:{STATUS_PORT}", mode, metrics, missing)


def backend(one: Listener, slots: Sequence[Target | None]) -> str:
    """Return the backend of a listener; clients keep their endpoint for a time after the last connection."""
    kept: tuple[str, ...] = ()
    if one.affinity_seconds:
        kept = haproxy.remembered(one.affinity_seconds)
    return haproxy.backend(one.name, slots, "balance roundrobin", *kept)


def is_proxy(obj: objects.Object) -> bool:
    """Tell whether it is a proxy of this mode, or the DaemonSet of such; one that leaves is not any more."""
    return objects.annotations(obj).get(MODE_ANNOTATION) == MODE and not objects.is_deleting(obj)


def masked(policy: objects.Object) -> api.RecordEvent:
    """Return the warning that tells a NetworkPolicy's users whom it judges in this mode."""
    words = (
        "kube-proxy runs in userspace mode: of TCP connections to Services this policy judges the node's pod "
        "kube-proxy (kube-system, k8s-app=kube-proxy) as client and as server, not the pods at the ends"
    )
    return api.RecordEvent(policy, "Warning", "ClientsMasked", words, "kube-proxy")
