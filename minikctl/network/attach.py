"""What the node asks of the network: a pod's namespace made ready before its first container starts."""

from __future__ import annotations

from typing import Protocol

from minikctl.drivers.engine import Engine
from minikctl.model.containers import Container
from minikctl.network import settings
from minikctl.network.sync import Member, RuleSync


class Sandbox(Protocol):
    """A running pause container, which owns its pod's network namespace (the node has the class)."""

    @property
    def namespace(self) -> str:
        """Return the pod's namespace."""
        ...

    @property
    def pod(self) -> str:
        """Return the pod's name."""
        ...

    @property
    def container_id(self) -> str:
        """Return the engine's id."""
        ...

    @property
    def pid(self) -> int:
        """Return the host's number of its process."""
        ...

    @property
    def ip(self) -> str:
        """Return the pod's address, "" if it has none."""
        ...

    @property
    def host_network(self) -> bool:
        """Tell whether it shares the host's network."""
        ...


class PodNetwork:
    """Fits ``node.sandbox.SandboxNetwork``."""

    def __init__(self, rules: RuleSync) -> None:
        self._rules = rules

    async def attach(self, sandbox: Sandbox) -> None:
        """Return once routes and rules are in place; ``DriverError`` tells why they are not.

        A pod in the host's namespace gets none, as nothing of the host is changed; neither does one without
        an address: that is how the agent itself runs, which has to start before there are any rules.
        """
        if sandbox.host_network or not sandbox.ip:
            return
        pod = (sandbox.namespace, sandbox.pod)
        await self._rules.attach(Member(sandbox.container_id, sandbox.pid, sandbox.ip, pod=pod))

    async def withdraw(self, sandbox: Sandbox) -> None:
        """Return once no new connection is led to the pod, which is being deleted, while others serve."""
        if not sandbox.host_network and sandbox.ip:
            await self._rules.withdrawn(sandbox.ip)

    async def detach(self, sandbox: Sandbox) -> None:
        """Forget the sandbox; harmless when it is unknown."""
        self._rules.forget(sandbox.container_id)


async def members(engine: Engine, cluster: str) -> list[Member]:
    """Return every running container of the cluster that owns a network namespace with rules of ours."""
    found = await engine.list({settings.CLUSTER: cluster})
    return [member for member in map(member_of, found) if member is not None]


def member_of(container: Container) -> Member | None:
    """Return the namespace that the container owns, None when it owns none that gets rules."""
    if container.status not in ("running", "paused") or not container.pid or not container.ip:
        return None
    match container.labels.get(settings.ROLE):
        case settings.PAUSE_ROLE:
            pod = (
                container.labels.get(settings.POD_NAMESPACE, ""),
                container.labels.get(settings.POD_NAME, ""),
            )
            return Member(container.id, container.pid, container.ip, pod=pod)
        case settings.PUBLISHER_ROLE:
            service = (
                container.labels.get(settings.SERVICE_NAMESPACE, ""),
                container.labels.get(settings.SERVICE_NAME, ""),
            )
            return Member(container.id, container.pid, container.ip, service)
    return None
