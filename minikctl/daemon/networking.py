"""Putting the cluster's network together: rules in every namespace, publishers, load balancers, names."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from minikctl import errors
from minikctl.daemon.core import Core
from minikctl.daemon.runtimes import Runtime
from minikctl.drivers import engine as engines
from minikctl.drivers import listening
from minikctl.drivers import netns as netnses
from minikctl.drivers.agent import FindAgent
from minikctl.network import (
    attach,
    dns,
    dns_config,
    guard,
    ingress,
    outcomes,
    policies,
    ports,
    publishers,
    ranges,
    rulebook,
    sync,
    system,
    userspace,
)
from minikctl.network import settings as names
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.node.sandbox import SandboxNetwork
from minikctl.runtime.loop import ControlLoop

Work = Coroutine[Any, Any, None]
AGENT_LABELS = {"minikctl.dev/pod-namespace": "kube-system", "minikctl.dev/container": "agent"}


@dataclass(frozen=True)
class Networking:
    """What the node needs of the network, and what keeps it up to date; afterwards ``netns`` is closed."""

    sandboxes: SandboxNetwork
    works: dict[str, Work]
    netns: netnses.Netns


def build(core: Core, runtime: Runtime, settings: NetworkSettings) -> Networking:
    """Return the network's parts; nothing happens before their work is run."""
    tools = Tools(core.informers, core.executor, core.recorder, runtime.engine, core.clock)

    async def discover() -> list[sync.Member]:
        return await attach.members(runtime.engine, settings.name)

    netns = runtime.netns(agent_finder(runtime.engine, settings.name))
    book = rulebook.RuleBook(core.informers, settings)
    rules = sync.RuleSync(
        netns,
        sync.Books(book, policies.PolicyBook(core.informers)),
        discover,
        core.clock,
    )
    has_sctp = listening.has_sctp if settings.shares_host else lambda: False
    parts = (publishers.PART, ports.PART) if settings.shares_host else (publishers.PART,)
    outcome = outcomes.Outcomes(core.client, core.recorder, parts)
    publishing = publishers.Publishers(tools, rules, settings, outcome, has_sctp)
    balancing = publishers.LoadBalancers(tools, settings)
    servers = runtime.name_servers(system.update_secret(core.home), core.ways)
    naming = dns.ClusterDns(tools, servers, settings)
    routing = ingress.IngressController(tools, runtime.proxy(core.home.file("ingress")), settings)
    routing.prepare()
    return Networking(
        attach.PodNetwork(rules),
        _port_work(core, runtime, tools, settings, outcome)
        | _proxy_work(core, runtime, tools, settings, book)
        | {
            "rules": rules.run(),
            "rules deleted by hand": guard.Guard(netns, rules, core.clock).run(),
            "publishers": ControlLoop(publishing, core.clock, workers=4, backoff=publishers.backoff()).run(),
            "publisher events": publishing.follow(),
            "publishers off the network": publishing.watch(),
            "load balancers": ControlLoop(balancing, core.clock).run(),
            "service ranges": ControlLoop(ranges.ServiceRanges(tools, settings), core.clock).run(),
            "cluster dns": naming.run(),
            "dns configuration": dns_config.DnsConfig(core.client, core.home, settings).follow(tools),
            "ingress": routing.run(),
        },
        netns,
    )


def _port_work(
    core: Core, runtime: Runtime, tools: Tools, settings: NetworkSettings, outcome: outcomes.Outcomes
) -> dict[str, Work]:
    if not settings.shares_host:
        return {}
    proxy = runtime.proxy(core.home.file(ports.PART))
    publishing = ports.PortProxy(tools, proxy, runtime.listening, settings, outcome)
    publishing.prepare()
    return {"ports": publishing.run()}


def _proxy_work(
    core: Core, runtime: Runtime, tools: Tools, settings: NetworkSettings, book: rulebook.RuleBook
) -> dict[str, Work]:
    if core.settings.proxy_mode != userspace.MODE:
        return {}
    drivers = {node: runtime.proxy(core.home.file(userspace.PART, node)) for node in core.settings.node_names}
    proxies = userspace.NodeProxies(tools, drivers, book, settings)
    proxies.prepare()
    return {"node proxies": proxies.run()}


def agent_finder(engine: engines.Engine, cluster: str) -> FindAgent:
    """Return what finds the running agent of the cluster; ``DriverError`` while that is paused."""

    async def find_agent() -> str | None:
        found = await engine.list({names.CLUSTER: cluster, **AGENT_LABELS})
        for container in found:
            if container.status == "running":
                return container.id
        for container in found:
            if container.status == "paused":
                way = f"`docker unpause {container.name}` lets it go on"
                raise errors.DriverError(f"the network agent is paused: {way}")
        return None

    return find_agent


async def install(core: Core, settings: NetworkSettings) -> None:
    """Have the system's pods in the API."""
    await dns_config.DnsConfig(core.client, core.home, settings).install()
