"""What the network's settings tell of their cluster."""

from __future__ import annotations

import dataclasses

import pytest

from minikctl.client.settings import ClusterSettings
from minikctl.network.settings import NetworkSettings


@pytest.mark.parametrize(
    ("lowest", "slot", "ports"),
    [(0, 3, (80, 443)), (80, 3, (80, 443)), (1024, 1, (10080, 10443)), (1024, 3, (10082, 10445))],
)
def test_ingress_has_the_usual_ports_where_it_may_else_its_clusters_own(
    lowest: int, slot: int, ports: tuple[int, int]
) -> None:
    cluster = dataclasses.replace(ClusterSettings("test"), slot=slot)
    settings = NetworkSettings(
        cluster, "10.1.0.0/20", "10.1.0.1", "here", "/nowhere", "infra", lowest_port=lowest
    )
    assert settings.ingress_ports == ports
