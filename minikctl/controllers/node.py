"""Register the nodes of this machine and keep their status and their Leases fresh."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from minikctl import errors
from minikctl.controllers import base
from minikctl.drivers.engine import Engine
from minikctl.model import kinds
from minikctl.model.actions.api import Plan
from minikctl.model.objects import Key
from minikctl.plan import node
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor

FactsSource = Callable[[], Awaitable[node.Facts]]


def never(changed: Callable[[], None]) -> None:
    """Promise nothing: the machine is only looked at from time to time."""
    del changed


@dataclass(frozen=True)
class Machine:
    """Where the node learns about its machine.

    ``facts`` raises when the engine does not answer; ``subscribe`` takes what is called when that may have
    changed; ``known`` is what is known of the machine without its engine.
    """

    facts: FactsSource
    subscribe: Callable[[Callable[[], None]], None] = never
    known: node.Facts | None = None


class NodeController(base.ApiController[node.View]):
    """Key: ("", a node's name); asked again in time for each renewal of the Lease."""

    name = "node"
    kind = kinds.NODE
    reads = (kinds.NODE, kinds.LEASE)

    def __init__(
        self,
        caches: base.Caches,
        executor: ApiExecutor,
        clock: clocks.Clock,
        identity: tuple[Mapping[str, node.Place], str],
        machine: Machine,
    ) -> None:
        """``identity`` are the nodes with what sets them apart, and their version."""
        super().__init__(caches, executor, clock)
        self._places, self._version = identity
        self._machine = machine
        self._facts = machine.known

    def subscribe(self, enqueue: base.Enqueue) -> None:
        """Follow the nodes; they are looked after even before they exist."""
        self.caches.of(kinds.LEASE)
        base.on_change(self.caches.of(kinds.NODE), base.own_key, enqueue)

        def all_of_them() -> None:
            for name in self._places:
                enqueue(("", name))

        self._machine.subscribe(all_of_them)
        all_of_them()

    async def observe(self, key: Key) -> node.View | None:
        """Return the node, its Lease and what its engine says; None for other nodes."""
        place = self._places.get(key[1])
        if place is None:
            return None
        trouble = ""
        try:
            self._facts = await self._machine.facts()
        except errors.NetworkUnready as error:
            trouble = str(error)
        except errors.DriverError as error:
            trouble = f"container runtime is down: {error}"
        return node.View(
            key[1],
            self._version,
            self.caches.of(kinds.NODE).get(*key),
            self.caches.of(kinds.LEASE).get(node.LEASE_NAMESPACE, key[1]),
            self._facts,
            trouble,
            place,
        )

    def desired(self, view: node.View, now: datetime) -> Plan:
        """Return the plan."""
        return node.desired(view, now)


def engine_facts(engine: Engine, address: str) -> FactsSource:
    """Return what asks the engine about its machine; ``address`` is the node's as pods see it."""

    async def facts() -> node.Facts:
        info = await engine.info()
        return node.Facts(
            cpus=info.cpus,
            memory_bytes=info.memory_bytes,
            architecture=_ARCHITECTURES.get(info.architecture, info.architecture),
            operating_system="linux",
            kernel=info.kernel,
            os_image=info.os,
            runtime=f"docker://{info.version}",
            address=address,
            storage_bytes=shutil.disk_usage(DISK).total,
        )

    return facts


DISK = "/"
"""What is on the file system of this path counts as the node's local storage."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def machine(runtime: str, address: str = "", cpus: int = 0, memory_bytes: int = 0) -> node.Facts:
    """Return what this machine says of itself without an engine; its own size unless one is given."""
    architecture = platform.machine()
    return node.Facts(
        cpus=cpus or os.cpu_count() or 1,
        memory_bytes=memory_bytes or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=_ARCHITECTURES.get(architecture, architecture),
        operating_system="linux",
        kernel=platform.release(),
        os_image=platform.system(),
        runtime=runtime,
        address=address,
        storage_bytes=shutil.disk_usage(DISK).total,
    )
