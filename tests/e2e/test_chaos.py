"""Everything is killed once, in a random order that a seed gives, while endpoints come and go: all of it heals."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

from minikctl import errors
from tests.e2e import apps, invariants
from tests.e2e.conftest import Cluster, docker, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

SEED = int(os.environ.get("MINIKCTL_E2E_SEED", "7"))
CALM_SECONDS = 45
INGRESS = """
---
apiVersion: v1
kind: Service
metadata: {name: published}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
VICTIMS = (
    "control plane",
    "named",
    "publisher.*_haproxy",
    "ingress.*_haproxy worker",
    "api-relay.*_haproxy",
    "_agent_",
    "web.*_POD",
    "web.*_app",
)
"""Each but once: what is killed again within ten minutes waits, as a kubelet has it."""


def kill(cluster: Cluster, victim: str) -> None:
    """Kill what the expression finds among the cluster's containers, or a worker of it, without warning."""
    if victim == "control plane":
        os.kill(int(cluster.status()["pid"]), signal.SIGKILL)
        cluster.run("cluster", "start")
        return
    pattern, _, worker = victim.partition(" ")
    script = "for one in /proc/[0-9]*; do [ ${one#/proc/} = 1 ] || kill -9 ${one#/proc/}; done"
    eventually(lambda: killed(cluster, pattern, script if worker else ""))


def killed(cluster: Cluster, pattern: str, script: str) -> bool:
    """Kill the first container that is found, or run the script in it; it may have ended by itself meanwhile."""
    for one in docker("ps", "-q", "--filter", f"name=mk_{cluster.name}_.*{pattern}").split():
        command = ["docker", "exec", one, "sh", "-c", script] if script else ["docker", "kill", one]
        done = subprocess.run(command, capture_output=True, check=False)
        if script or done.returncode == 0:
            return True
    return False


def test_whatever_is_killed_comes_back_and_nothing_is_left_behind(cluster: Cluster) -> None:
    chance = random.Random(SEED)
    cluster.run("apply", "-f", "-", stdin=apps.WEB + INGRESS)
    cluster.run("rollout", "status", "deploy/web", "--timeout=60s")
    victims = chance.sample(VICTIMS, len(VICTIMS))
    for pair in (victims[number : number + 2] for number in range(0, len(victims), 2)):
        cluster.run("scale", "deploy", "web", f"--replicas={chance.randint(2, 5)}")
        for victim in pair:
            kill(cluster, victim)
        calm(cluster, f"{pair} of seed {SEED}")


def calm(cluster: Cluster, after: str) -> None:
    """Return once everything that has to hold does."""
    said = ["nobody has looked yet"]

    def holds() -> bool:
        try:
            said[:] = invariants.broken(cluster)
        except (AssertionError, OSError, errors.DriverError) as error:  # who is asked is not there yet
            said[:] = [str(error)]
        return not said

    try:
        eventually(holds, CALM_SECONDS)
    except AssertionError:
        pytest.fail(f"after {after}: {said}")
