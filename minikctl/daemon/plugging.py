"""Pods' network by CNI plugins, put together: nodes' containers, and an engine that attaches sandboxes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from minikctl import errors
from minikctl.daemon import networking
from minikctl.daemon.core import Core
from minikctl.daemon.runtimes import Runtime
from minikctl.drivers import agent, cni, cni_calls, cni_files, cni_records
from minikctl.drivers import engine as engines
from minikctl.model import kinds
from minikctl.network import cni_nodes
from minikctl.network.cni_engine import CniEngine
from minikctl.plan.cni import protocol, ranges
from minikctl.runtime import tasks

log = logging.getLogger(__name__)

DIRECTORY = "cni"
AGAIN_SECONDS = 60.0
RETRY_SECONDS = 1.0
NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: "
)
"""What a kubelet says of its node while plugins cannot attach pods."""


@dataclass
class Plugged:
    """What plugins add to a cluster; ``problem`` says why they cannot attach pods at present, "" if they can.

    ``changed`` is called when that is another.
    """

    engine: CniEngine
    nodes: cni_nodes.NodeContainers
    plugins: cni.Plugins
    core: Core
    netns: agent.AgentNetns
    changed: Callable[[], None]
    problem: str = ""
    _versed: bool = False

    @property
    def as_engine(self) -> engines.Engine:
        """Return the engine for those who need sandboxes with addresses; it hands on what is not its own."""
        return cast(engines.Engine, self.engine)

    async def start(self) -> None:
        """Have the nodes' containers run, before anything is attached."""
        for name in await self.nodes.ensure():
            await self.engine.reset(name)

    async def tell(self) -> None:
        """Have each Node say which addresses its pods get; once it is registered, which may be later."""
        for name in self.core.settings.node_names:
            range_ = self.nodes.range_of(name)
            node = self.core.informers.of(kinds.NODE).get("", name)
            if node is not None and (node.get("spec") or {}).get("podCIDR") != range_:
                body = {"spec": {"podCIDR": range_, "podCIDRs": [range_]}}
                await self.core.client.patch(kinds.NODE, name, "", body)

    async def run(self) -> None:
        """Keep the nodes' containers, detach what is gone, and look once at what was attached before."""
        lost = asyncio.Event()
        clock = self.core.clock
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(lost), name="cni nodes")
            looked = await self._guarded(self._look(), "looking at attachments")
            while True:
                pause = AGAIN_SECONDS if looked else RETRY_SECONDS
                await tasks.first(clock.sleep(pause), lost.wait())
                lost.clear()
                looked = looked or await self._guarded(self._look(), "looking at attachments")
                if looked:
                    await self._guarded(self.ask(), "asking plugins")
                await self._guarded(self.start(), "containers of nodes")
                await self._guarded(self.tell(), "ranges of nodes")
                await self._guarded(self.engine.collect(), "detaching")

    async def ask(self) -> None:
        """Have plugins say whether they can attach pods; ``PluginError`` if not, and ``problem`` tells it."""
        try:
            for calls in await self._each_node():
                if not self._versed:
                    await calls.versions()
                    self._versed = True  # nodes have the same programs
                await calls.status()
        except protocol.PluginError as error:
            self._tell(f"{NOT_READY}{error}")
            raise
        self._tell("")

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self.problem = problem
            self.changed()

    async def _each_node(self) -> list[cni_calls.Calls]:
        places = [await self.nodes.ready(name) for name in self.core.settings.node_names]
        return [cni_calls.Calls(self.plugins, place, self.nodes.network) for place in places]

    async def _look(self) -> None:
        await self.ask()
        await self.engine.collect()
        for calls in await self._each_node():
            await calls.collect(self.engine.attached())
        await self.tell()
        await self.engine.check()

    async def _follow(self, lost: asyncio.Event) -> None:
        while True:
            await self.nodes.follow(lost.set)
            await self.core.clock.sleep(RETRY_SECONDS)
            lost.set()

    async def _guarded(self, work: Awaitable[None], what: str) -> bool:
        try:
            await work
        except (errors.MinikctlError, protocol.PluginError, OSError) as error:
            log.warning("%s: %s", what, error)
            return False
        return True


def build(
    core: Core, runtime: Runtime, subnet: str, image: str, changed: Callable[[], None]
) -> Plugged | None:
    """Return what plugins add, None when the engine itself connects pods."""
    settings = core.settings
    if settings.pod_network != "cni":
        return None
    find = networking.agent_finder(runtime.engine, settings.name)
    directory = core.home.file(DIRECTORY)
    netns = agent.AgentNetns(runtime.engine, find)
    plugins = cni.AgentPlugins(netns, settings.cni_path, directory)
    layout = cni_nodes.Layout(
        cluster=settings.name,
        engine_network=settings.network,
        service_cidr=settings.service_cidr,
        image=image,
        nodes=settings.node_names,
        ranges=ranges.split(subnet, settings.nodes),
        config=cni_files.read(settings.cni_conf, settings.network),
    )
    nodes = cni_nodes.NodeContainers(runtime.engine, plugins, find, core.clock, layout)
    records = cni_records.Records(core.home.file(DIRECTORY, "results"))
    engine = CniEngine(runtime.engine, plugins, nodes, records)
    return Plugged(engine, nodes, plugins, core, netns, changed)
