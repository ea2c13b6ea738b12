"""The part of the control plane that needs an engine: the node's pods and their network.

The API answers without it.  While no engine answers, the Node says so and everything waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

from minikctl import errors
from minikctl.client import launcher, running
from minikctl.controllers import node as node_controller
from minikctl.daemon import hostdns, networking, plugging, publishing, relay, runtimes, subnets
from minikctl.daemon.core import Core
from minikctl.drivers import dialing
from minikctl.drivers import engine as engines
from minikctl.model import capacities, containers, quantity
from minikctl.network.settings import NetworkSettings
from minikctl.node import checks, static_pods
from minikctl.node.agent import NodeAgent, NodeDrivers
from minikctl.node.eviction import Evictor
from minikctl.node.meter import Meter
from minikctl.node.storage import VolumeCleaner
from minikctl.node.streams import EngineStreams
from minikctl.plan import haproxy
from minikctl.plan import node as node_plan
from minikctl.plan.pod.view import NodeInfo
from minikctl.runtime import tasks
from minikctl.runtime.backoff import Backoff
from minikctl.runtime.loop import ControlLoop

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5
RETRY_LIMIT_SECONDS = 2.0
RESTART_LIMIT_SECONDS = 30.0
UNANSWERED = "the container engine has not answered yet"


@dataclass(frozen=True)
class Place:
    """What was found or made in the engine before the first pod."""

    network: engines.Network
    infra_image: str
    info: engines.EngineInfo
    is_here: bool
    """This machine reaches the network's addresses: the bridge is in the namespace that we are in."""
    lowest_port: int = 0
    """The first port that the engine can publish, 0 if it can publish all."""


class World:
    """The node and its network on one engine, which may come and go."""

    def __init__(self, core: Core, runtime: runtimes.Runtime) -> None:
        self._core = core
        self._runtime = runtime
        self._place: Place | None = None
        self._agent: NodeAgent | None = None
        self._plugged: plugging.Plugged | None = None
        cluster = core.settings.name
        relay = runtime.relay(networking.agent_finder(runtime.engine, cluster))
        self._dialer = runtime.dialer(networking.agent_finder(runtime.engine, cluster))
        self.streams = EngineStreams(runtime.engine, cluster, relay)
        """Logs, commands and ports of pods, straight from the engine."""
        self._problem = UNANSWERED
        self._answered = False
        self._listeners: list[Callable[[], None]] = []

    @functools.cached_property
    def meter(self) -> Meter:
        """What measures the pods, when asked."""
        runtime = self._runtime
        return Meter(runtime.engine, runtime.usage, self._core.settings.name, self._core.clock)

    @property
    def problem(self) -> str:
        """Why pods cannot be run at present, "" when they can."""
        return self._agent.problem if self._agent is not None else self._problem

    async def facts(self) -> node_plan.Facts:
        """Return what the machine is; ``DriverError`` says why the node is not ready."""
        if self._place is None or self.problem:
            raise errors.EngineUnavailable(self.problem)
        if self._plugged is not None and self._plugged.problem:
            raise errors.NetworkUnready(self._plugged.problem)
        found = await self._runtime.facts(self._place.network.gateway)()
        return replace(found, collision=subnets.collision(self._runtime.routes, self._place.network))

    @property
    def known(self) -> node_plan.Facts | None:
        """What is known of the machine before its engine answers."""
        return self._runtime.known

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call back whenever ``problem`` has changed."""
        self._listeners.append(changed)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell()

    async def run(self) -> None:
        """Run the node's pods and their network until cancelled; the containers go on then.

        A failure that nothing below expected is told, and all of this begins anew: the API never ends by it.
        """
        delays: Backoff[None] = Backoff(RETRY_SECONDS, RESTART_LIMIT_SECONDS)
        while True:
            try:
                await tasks.apart(self._once())
            except Exception as error:
                if tasks.is_ending():
                    raise
                logger.exception("the node failed; it starts again", exc_info=error)
                self._agent = None
                self._fail(f"the node failed: {_first(error)}")
                await self._core.clock.sleep(delays.next(None))

    async def _once(self) -> None:
        """Run until something fails; then no informer tells of changes to what has ended."""
        lent = self._core.informers.lend()
        try:
            await self._run(replace(self._core, informers=lent))
        finally:
            lent.close()

    async def _run(self, core: Core) -> None:
        self._place = place = await self._prepared()
        core.ways.lead(place.network.subnet, None if place.is_here else self._dialer)
        settings = self._network_settings(place)
        await networking.install(core, settings)
        subnet, image = place.network.subnet, place.infra_image
        self._plugged = plugged = plugging.build(core, self._runtime, subnet, image, self._tell)
        runtime = self._runtime
        if plugged is not None:
            await plugged.start()
            runtime = replace(runtime, engine=plugged.as_engine)
        network = networking.build(core, runtime, settings)
        drivers = NodeDrivers(
            runtime.engine,
            network.sandboxes,
            core.client,
            core.informers,
            core.recorder,
            core.clock,
            core.issuer,
            self._runtime.prober or checks.RealProber(runtime.engine, core.clock, core.ways),
            self._runtime.files,
            self._tell,
        )
        node = self._node_info(place)
        others = {
            name: replace(node, name=name, network=core.settings.pods_network(name))
            for name in core.settings.node_names[1:]
        }
        self._agent = agent = NodeAgent(drivers, node, others)
        cleaner = VolumeCleaner(self._runtime.engine, core.informers, core.executor, core.clock, node)
        evictor = Evictor(self._runtime.engine, core.informers, core.executor, core.clock, node)
        works = {
            **network.works,
            "node": agent.run(),
            "evictor": evictor.run(),
            "static pods": self._static_pods(core).run(),
            "volume cleaner": ControlLoop(cleaner, core.clock).run(),
        }
        if plugged is not None:
            works["cni"] = plugged.run()
        async with contextlib.AsyncExitStack() as opened:
            # What runs in the agent would else run on beside that of the next beginning.
            for netns in (network.netns, *((plugged.netns,) if plugged is not None else ())):
                opened.push_async_callback(netns.close)
            group = await opened.enter_async_context(asyncio.TaskGroup())
            for name, work in works.items():
                group.create_task(work, name=name)

    def _static_pods(self, core: Core) -> static_pods.StaticPods:
        directory = core.home.file(static_pods.DIRECTORY)
        return static_pods.StaticPods(core.informers, core.executor, core.clock, core.node, directory)

    async def close(self) -> None:
        """Let go of the engine."""
        await self._dialer.close()
        await self._runtime.engine.close()

    async def _prepared(self) -> Place:
        """Return once there are a network and the infrastructure image, however long it takes."""
        delays: Backoff[None] = Backoff(RETRY_SECONDS, RETRY_LIMIT_SECONDS)
        while True:
            try:
                return await self._prepare()
            except (errors.DriverError, OSError) as error:
                if str(error) != self._problem:
                    logger.warning("waiting for the engine: %s", error)
                self._fail(str(error))
                await self._core.clock.sleep(delays.next(None))

    async def _prepare(self) -> Place:
        engine = self._runtime.engine
        answered, self._answered = self._answered, False
        info = await engine.info()
        self._answered = True
        if not answered:  # else it is known what preparing failed at
            self._fail(f"the container engine answers; {launcher.PREPARING}")
        home, routes = self._core.home, self._runtime.routes
        network, image = await asyncio.gather(
            subnets.ensure(engine, self._core.settings, home.path, routes, running.rivals(home)),
            self._runtime.infra_image(),
        )
        is_here = dialing.is_here(network.bridge, network.gateway)
        where = "reached from here" if is_here else "reached through the agent"
        logger.info("engine %s, network %s (%s), image %s", info.version, network.subnet, where, image)
        lowest = await publishing.lowest_port(engine, self._core.settings, image) if info.rootless else 0
        if lowest:
            logger.warning("%s", containers.LOW_PORTS.format(lowest=lowest))
        return Place(network, image, info, is_here, lowest)

    def _network_settings(self, place: Place) -> NetworkSettings:
        return NetworkSettings(
            cluster=self._core.settings,
            subnet=place.network.subnet,
            gateway=place.network.gateway,
            node=self._core.node,
            directory=self._core.home.path,
            infra_image=place.infra_image,
            host_resolver=hostdns.servers(),
            shares_host=place.is_here and shares_host(place.info),
            api_server=relay.api_server(self._core.settings, place.info.os),
            relay_directory=relay.made(self._core.home),
            proxy_threads=haproxy.threads(place.info.cpus),
            lowest_port=place.lowest_port,
            shares_ports=place.info.rootless,
        )

    def _node_info(self, place: Place) -> NodeInfo:
        settings = self._core.settings
        given = capacities.parse(settings.node_capacity)
        cpus = max(place.info.cpus // settings.nodes, 1)
        memory = place.info.memory_bytes // settings.nodes
        storage = shutil.disk_usage(node_controller.DISK).total // settings.nodes
        return NodeInfo(
            began=self._core.clock.now(),
            cluster=settings.name,
            name=self._core.node,
            host_ip=place.network.gateway,
            network=settings.pods_network(self._core.node),
            engine_network=settings.network,
            pods_dir=self._core.home.file("pods"),
            memory_dir=self._core.home.memory,
            infra_image=place.infra_image,
            dns_ip=settings.dns_ip,
            domain=settings.domain,
            resolver_lines=hostdns.lines(),
            hosts=hostdns.hosts(),
            unsafe_sysctls=tuple(filter(None, settings.unsafe_sysctls.split(","))),
            publish_ip=settings.publish,
            lowest_port=place.lowest_port,
            has_cgroups=place.info.cgroups,
            cpus=quantity.whole(given.get("cpu", str(cpus))),
            memory_bytes=quantity.whole(given.get("memory", str(memory))),
            storage_bytes=quantity.whole(given.get("ephemeral-storage", str(storage))),
        )


def shares_host(info: engines.EngineInfo) -> bool:
    """Tell whether the engine's host is this machine itself, not a virtual one."""
    here = platform.uname()
    return (info.kernel, info.name) == (here.release, here.node)


def _first(error: BaseException) -> BaseException:
    """Return what a group of failures began with."""
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def build(core: Core) -> World:
    """Return the world of the runtime that the cluster was made with."""
    return World(core, runtimes.build(core.settings, core.clock))
