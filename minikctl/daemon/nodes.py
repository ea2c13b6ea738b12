"""The nodes that the machine plays: one, unless the cluster was made with more."""

from __future__ import annotations

from collections.abc import Mapping

from minikctl.client.settings import ClusterSettings
from minikctl.model import capacities
from minikctl.plan.node import Place

ZONES = 3
SIMULATED = {"cpu": "32", "memory": "128Gi"}
"""What each of several nodes without containers has unless told otherwise: there is no machine to share."""


def places(settings: ClusterSettings) -> Mapping[str, Place]:
    """Return what sets each node apart; several nodes are spread over zones."""
    capacity = capacities.parse(settings.node_capacity)
    if settings.nodes == 1:
        return {settings.node_names[0]: Place(capacity=capacity)}
    if settings.runtime == "sim":
        capacity = {**SIMULATED, **capacity}
    return {
        name: Place(f"zone-{'abc'[number % ZONES]}", settings.nodes, capacity)
        for number, name in enumerate(settings.node_names)
    }
