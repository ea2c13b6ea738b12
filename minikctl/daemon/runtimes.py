"""The two worlds that a cluster can live in: a Docker engine, or a simulation in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from minikctl import errors
from minikctl.client.settings import ClusterSettings
from minikctl.controllers import node as node_controller
from minikctl.drivers import bind, dialing, haproxy, listening, routes, switchboard
from minikctl.drivers import engine as engines
from minikctl.drivers import netns as netnses
from minikctl.drivers import relay as relays
from minikctl.drivers.agent import FindAgent
from minikctl.drivers.usage import Usage, UsageSource
from minikctl.node import checks, host_files
from minikctl.plan import node as node_plan
from minikctl.runtime import clock as clocks

SIM_CPUS = 1000
SIM_MEMORY_BYTES = 4 << 40


@dataclass(frozen=True)
class Runtime:
    """Drivers of one world; ``facts`` needs the node's address, ``netns`` and ``relay`` a way to the agent.

    ``known`` are the facts before the engine answers, None if it always does.
    ``name_servers`` needs the key that their updates are signed with, ``proxy`` the directory that it shares
    with a proxy.  ``listening`` tells which ports of this machine are taken, ``routes`` where it sends what.
    """

    engine: engines.Engine
    netns: Callable[[FindAgent], netnses.Netns]
    relay: Callable[[FindAgent], relays.Relay]
    dialer: Callable[[FindAgent], switchboard.AgentDialer]
    infra_image: Callable[[], Awaitable[str]]
    facts: Callable[[str], node_controller.FactsSource]
    known: node_plan.Facts | None
    name_servers: Callable[[str, dialing.Dialer], bind.NameServers]
    proxy: Callable[[str], haproxy.Proxy]
    listening: listening.Listening
    routes: routes.Routes
    usage: UsageSource
    files: host_files.HostFiles
    prober: checks.Prober | None = None
    """None: real checks."""


def build(settings: ClusterSettings, clock: clocks.Clock) -> Runtime:
    """Return the drivers of the runtime that the cluster was made with."""
    match settings.runtime:
        case "docker":
            return docker(settings)
        case "sim":
            return simulated(clock)
    raise errors.UsageError(f"unknown runtime {settings.runtime!r}: it is docker or sim")


def docker(settings: ClusterSettings) -> Runtime:
    """Return what works on a Docker engine, which need not run yet."""
    from minikctl.drivers import agent, images
    from minikctl.drivers.docker import DockerEngine

    engine = DockerEngine(settings.name)
    return Runtime(
        engine,
        netns=lambda find: agent.AgentNetns(engine, find),
        relay=lambda find: relays.AgentRelay(engine, find),
        dialer=lambda find: switchboard.AgentDialer(engine, find),
        infra_image=lambda: images.ensure_infra(engine),
        facts=lambda address: node_controller.engine_facts(engine, address),
        known=node_controller.machine("docker://unknown"),
        name_servers=lambda secret, dialer: bind.BindServers(secret, dialer=dialer),
        proxy=lambda directory: haproxy.HaproxyContainer(engine, directory),
        listening=listening.of_this_machine,
        routes=routes.KernelRoutes(),
        usage=engine,
        files=host_files.RealFiles(),
    )


def simulated(clock: clocks.Clock) -> Runtime:
    """Return a world in memory: containers start at once and run for ever, nothing is reachable."""
    from minikctl.drivers.fake_bind import FakeNameServers
    from minikctl.drivers.fake_engine import FakeEngine
    from minikctl.drivers.fake_haproxy import FakeProxy
    from minikctl.drivers.fake_netns import FakeNetns
    from minikctl.drivers.fake_relay import FakeRelay

    engine = FakeEngine(clock, cpus=SIM_CPUS, memory_bytes=SIM_MEMORY_BYTES)

    async def infra_image() -> str:
        return "minikctl-infra:latest"

    def simulated_facts(address: str) -> node_controller.FactsSource:
        async def facts() -> node_plan.Facts:
            return node_controller.machine("sim://1", address, SIM_CPUS, SIM_MEMORY_BYTES)

        return facts

    return Runtime(
        engine,
        netns=lambda _: FakeNetns(engine, checking=False),
        relay=lambda _: FakeRelay(),
        dialer=lambda find: switchboard.AgentDialer(engine, find),
        infra_image=infra_image,
        facts=simulated_facts,
        known=None,
        name_servers=lambda *_: FakeNameServers(),
        proxy=lambda _: FakeProxy(),
        listening=listening.nobody,
        routes=routes.NoRoutes(),
        usage=IdleUsage(clock),
        files=host_files.NoFiles(),
        prober=checks.PassingProber(clock),
    )


class IdleUsage:
    """Of containers that are not there: nothing is used."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    async def usage(self, container_id: str) -> Usage | None:  # noqa: ARG002 - all are alike
        """Return that nothing is used."""
        return Usage(0.0, 0, self._clock.now())
