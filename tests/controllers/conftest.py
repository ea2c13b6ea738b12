"""A cluster in memory for each test."""

from __future__ import annotations

import pytest

from tests.controllers.cluster import Cluster, namespace
from tests.fakes.client import FakeClient
from tests.fakes.clock import FakeClock


@pytest.fixture
def cluster() -> Cluster:
    clock = FakeClock()
    start = [namespace(name) for name in ("default", "kube-system", "kube-node-lease")]
    return Cluster(FakeClient(start, now=clock.now), clock)
