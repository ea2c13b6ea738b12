"""What every part of the control plane works with."""

from __future__ import annotations

from dataclasses import dataclass

from minikctl.apiserver.issuer import Issuer
from minikctl.apiserver.local import LocalClient
from minikctl.apiserver.registry import Registry
from minikctl.client.home import ClusterHome
from minikctl.client.informer import Informers
from minikctl.client.settings import ClusterSettings
from minikctl.drivers import dialing
from minikctl.runtime import clock as clocks
from minikctl.runtime.executor import ApiExecutor
from minikctl.runtime.recorder import Recorder


@dataclass(frozen=True)
class Core:
    """The cluster's state and settings, the API in this process, and the ways to read and write it."""

    home: ClusterHome
    settings: ClusterSettings
    clock: clocks.Clock
    registry: Registry
    client: LocalClient
    informers: Informers
    recorder: Recorder
    executor: ApiExecutor
    issuer: Issuer
    ways: dialing.Ways
    """How pods are connected to, once their network is known."""

    @property
    def node(self) -> str:
        """Return the name of the first node: the machine, as this cluster knows it."""
        return self.settings.node_names[0]
