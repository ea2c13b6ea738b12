"""Putting the cluster's network together: rules in every namespace, publishers, load balancers, names."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from minikctl.daemon.core import Core
from minikctl.daemon.runtimes import Runtime
from minikctl.drivers import engine as engines
from minikctl.network import attach, publishers, rulebook, sync
from minikctl.network import settings as names
from minikctl.network.settings import NetworkSettings
from minikctl.network.tools import Tools
from minikctl.node.sandbox import SandboxNetwork
from minikctl.runtime.loop import ControlLoop

Work = Coroutine[Any, Any, None]
AGENT_ROLE = "agent"


@dataclass(frozen=True)
class Networking:
    """What the node needs of the network, and what keeps it up to date."""

    sandboxes: SandboxNetwork
    works: dict[str, Work]


def build(core: Core, runtime: Runtime, settings: NetworkSettings) -> Networking:
    """Return the network's parts; nothing happens before their work is run."""
    tools = Tools(core.informers, core.executor, core.recorder, runtime.engine, core.clock)

    async def find_agent() -> str | None:
        return await running(runtime.engine, settings.name, AGENT_ROLE)

    async def discover() -> list[sync.Member]:
        return await attach.members(runtime.engine, settings.name)

    rules = sync.RuleSync(
        runtime.netns(find_agent),
        rulebook.RuleBook(core.informers, settings),
        settings.facts(()),
        discover,
        core.clock,
    )
    publishing = publishers.Publishers(tools, rules, settings)
    balancing = publishers.LoadBalancers(tools, settings)
    return Networking(
        attach.PodNetwork(rules),
        {
            "rules": rules.run(),
            "publishers": ControlLoop(publishing, core.clock, workers=4).run(),
            "publisher events": publishing.follow(),
            "load balancers": ControlLoop(balancing, core.clock).run(),
        },
    )


async def running(engine: engines.Engine, cluster: str, role: str) -> str | None:
    """Return the id of the running container of the cluster that has that role."""
    for container in await engine.list({names.CLUSTER: cluster, names.ROLE: role}):
        if container.status == "running":
            return container.id
    return None
