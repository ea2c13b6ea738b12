"""Plans as data: what the planners of the network ask of the engine."""

from __future__ import annotations

from dataclasses import dataclass

from minikctl.model.actions import api
from minikctl.model.containers import ContainerSpec


@dataclass(frozen=True)
class RunPublisher:
    """Create and start the container that publishes a Service's ports; a taken host port fails the plan."""

    spec: ContainerSpec


@dataclass(frozen=True)
class RemovePublisher:
    """Remove a publisher and with it its ports."""

    container_id: str


NetworkAction = RunPublisher | RemovePublisher | api.ApiAction
