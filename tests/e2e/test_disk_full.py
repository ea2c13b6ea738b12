"""A disk that is full: what runs goes on, what is refused says why, and all of it goes on once there is room."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(240),
    pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small file system"),
]

SIZE = "24m"
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: "minikctl-infra:latest", imagePullPolicy: IfNotPresent, command: [sleep, "10000"]}
"""


@pytest.fixture
def disk(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "small", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def cluster(disk: pathlib.Path) -> Iterator[Cluster]:
    made = Cluster(str(disk), f"t{uuid.uuid4().hex[:6]}")
    try:
        made.run("cluster", "start", "--egress=false", "--wait=false")
        yield made
    finally:
        made.run("cluster", "delete", code=None)


def fill(path: pathlib.Path) -> None:
    """Write until there is no room left."""
    # Without a buffer: what did not fit would be tried once more when the file is closed.
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))


def test_a_full_disk_is_told_and_survived(cluster: Cluster, disk: pathlib.Path) -> None:
    cluster.run("apply", "-f", "-", stdin=WEB)
    cluster.run("rollout", "status", "deploy/web", "--timeout=60s")
    running = docker("ps", "-q", "--filter", f"label=minikctl.dev/cluster={cluster.name}").split()
    ballast, kept = disk / "ballast", 0
    fill(ballast)
    large = f"--from-literal=a={'x' * 100_000}"
    while not (refused := cluster.run("create", "configmap", f"c{kept}", large, code=None)).returncode:
        kept += 1  # until what the store had put by is used up
    assert "database or disk is full" in refused.stderr
    assert "what was acknowledged is safe" in refused.stderr
    assert "1/1" in cluster.out("get", "pods"), "reading goes on"
    cluster.run("scale", "deployment", "web", "--replicas=3", code=None)
    assert set(running) <= set(
        docker("ps", "-q", "--filter", f"label=minikctl.dev/cluster={cluster.name}").split()
    )
    ballast.unlink()
    eventually(lambda: cluster.run("scale", "deployment", "web", "--replicas=2", code=None).returncode == 0)
    eventually(lambda: cluster.json("deployment", "web")["status"].get("readyReplicas") == 2, 60)
    names = {each["metadata"]["name"] for each in cluster.json("configmaps")["items"]}
    assert {f"c{number}" for number in range(kept)} <= names, "what was acknowledged is there"
