"""What the node needs from the network: a pod's namespace made ready before its first container starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sandbox:
    """A running pause container, which owns its pod's network namespace; ``pid`` is the host's number."""

    namespace: str
    pod: str
    uid: str
    container_id: str
    pid: int
    ip: str
    host_network: bool = False


class SandboxNetwork(Protocol):
    """Gives sandboxes the cluster's network."""

    async def attach(self, sandbox: Sandbox) -> None:
        """Put routes and rules in place; when it returns, the pod may run.  ``DriverError`` when it cannot.

        Safe to repeat: the node asks again after a restart of the control plane, while the pod runs.
        """
        ...

    async def withdraw(self, sandbox: Sandbox) -> None:
        """Return once no new connection is led to the pod, which is being deleted, while others serve.

        It may take for as long as nothing can be written: the caller sets a limit.
        """
        ...

    async def detach(self, sandbox: Sandbox) -> None:
        """Forget the sandbox, whose container is gone or about to go; never fails for an unknown one."""
        ...
