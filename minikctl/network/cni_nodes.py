"""The nodes' own containers: each is a network namespace for plugins, on the cluster's engine network.

Pods have addresses out of that network's range.  A node answers for those of its pods (proxy ARP), so the
machine and all nodes reach every pod without a route of anybody, and without translation.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from minikctl import errors
from minikctl.drivers import cni
from minikctl.drivers import engine as engines
from minikctl.model.containers import Container, ContainerSpec
from minikctl.plan.cni import conflist
from minikctl.plan.cni.ranges import Ranges
from minikctl.runtime import clock as clocks

log = logging.getLogger(__name__)

ROLE, ROLE_LABEL, NAME_LABEL = "node", "minikctl.dev/role", "minikctl.dev/node"
AGENT_SECONDS = 60.0
POLL_SECONDS = 0.1
SYSCTLS = (
    ("net.ipv4.ip_forward", "1"),
    ("net.ipv4.conf.all.proxy_arp", "1"),
    ("net.ipv4.conf.default.proxy_arp", "1"),
)


@dataclass(frozen=True)
class Layout:
    """What node containers are made of: cluster, its engine network and services, nodes and their ranges."""

    cluster: str
    engine_network: str
    service_cidr: str
    image: str
    nodes: tuple[str, ...]
    ranges: Ranges
    config: str
    """The network list that new sandboxes are attached by."""


class NodeContainers:
    """Keeps one container per node, and tells where plugins run."""

    def __init__(
        self,
        engine: engines.Engine,
        plugins: cni.Plugins,
        find_agent: Callable[[], Awaitable[str | None]],
        clock: clocks.Clock,
        layout: Layout,
    ) -> None:
        self._engine, self._plugins, self._find_agent, self._clock = engine, plugins, find_agent, clock
        self._layout = layout
        self.network = conflist.parse(layout.config, "")
        """What new sandboxes are attached by."""
        self._places: dict[str, cni.Place] = {}
        self._ready: set[str] = set()
        self._locks = {name: asyncio.Lock() for name in layout.nodes}

    @property
    def config(self) -> str:
        """Return the network list as it was written."""
        return self._layout.config

    def range_of(self, node: str) -> str:
        """Return the addresses of the node's pods."""
        return self._layout.ranges.nodes[self._layout.nodes.index(node)]

    def lost(self, container_id: str) -> bool:
        """Tell whether that is known to be no node's container any more."""
        return bool(self._places) and all(
            place.container_id != container_id for place in self._places.values()
        )

    async def ensure(self) -> list[str]:
        """Have all nodes' containers run; return the names of those that were made."""
        present = await self._engine.list({"minikctl.dev/cluster": self._layout.cluster, ROLE_LABEL: ROLE})
        found = {each.labels.get(NAME_LABEL, ""): each for each in present}
        return [name for name in self._layout.nodes if await self._ensure(name, found.get(name))]

    async def _ensure(self, name: str, found: Container | None) -> bool:
        if found is not None and found.status == "running":
            place = cni.Place(found.id, found.pid, name)
            if self._places.get(name) != place:
                self._places[name] = place
                self._ready.discard(name)
            return False
        if found is not None:
            await self._engine.remove(found.id)
        made = await self._engine.create(self._spec(name))
        await self._engine.start(made)
        started = await self._engine.inspect(made)
        self._places[name] = cni.Place(made, started.pid if started else 0, name)
        self._ready.discard(name)
        return True

    def _spec(self, name: str) -> ContainerSpec:
        layout = self._layout
        return ContainerSpec(
            name=f"mk_{layout.cluster}_node_{name}",
            image=layout.image,
            labels={"minikctl.dev/cluster": layout.cluster, ROLE_LABEL: ROLE, NAME_LABEL: name},
            entrypoint=("/pause",),
            hostname=name[:63],
            network=layout.engine_network,
            ip=layout.ranges.node_address(layout.nodes.index(name)),
            sysctls=SYSCTLS,
            cpu_shares=2,
        )

    async def ready(self, node: str) -> cni.Place:
        """Return where the node's plugins run, once there is an agent to run them."""
        async with self._locks[node]:
            if node not in self._ready:
                await self._agent()
                # At once, not after a random part of a second; and what is for no pod goes nowhere.
                await self._plugins.prepare(
                    self._places[node],
                    [
                        ("ip", "ntable", "change", "name", "arp_cache", "dev", "eth0", "proxy_delay", "0"),
                        ("ip", "route", "replace", "blackhole", self._layout.service_cidr),
                        ("ip", "route", "replace", "blackhole", self.range_of(node), "metric", "4096"),
                    ],
                )
                self._ready.add(node)
            return self._places[node]

    async def _agent(self) -> None:
        ends = self._clock.monotonic() + AGENT_SECONDS
        while await self._find_agent() is None:
            if self._clock.monotonic() > ends:
                raise errors.DriverError("the network agent does not run")
            await self._clock.sleep(POLL_SECONDS)

    async def follow(self, lost: Callable[[], None]) -> None:
        """Call back whenever a node's container has ended, until the engine is gone."""
        labels: Mapping[str, str] = {"minikctl.dev/cluster": self._layout.cluster, ROLE_LABEL: ROLE}
        with contextlib.suppress(errors.DriverError):
            async for event in self._engine.events(labels):
                if event.action in ("die", "destroy"):
                    log.warning("a node's container has ended")
                    lost()
