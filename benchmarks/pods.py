"""Pods by one Deployment, applied until all are Ready, beside the bare Engine's work on the same containers."""

from __future__ import annotations

import concurrent.futures
import statistics
import time
import uuid

import docker

from benchmarks.harness import Cluster, Row

SIZES = {1: 7, 10: 5, 50: 3}
"""Pods, and how often."""
AT_ONCE = 10
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: bench}
spec:
  replicas: %d
  selector: {matchLabels: {app: bench}}
  template:
    metadata: {labels: {app: bench}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, rounds alternating."""
    return [compared(cluster, pods, rounds) for pods, rounds in SIZES.items()]


def compared(cluster: Cluster, pods: int, rounds: int) -> Row:
    """Return the comparison for so many pods, rounds alternating."""
    ours, bare = [], []
    for _ in range(rounds):
        bare.append(_bare(cluster.name, pods))
        ours.append(_ours(cluster, pods))
    mine, theirs = statistics.median(ours), statistics.median(bare)
    name = f"{pods} pod{'s' if pods > 1 else ''}, apply to all Ready"
    return Row(name, f"{mine:.2f} s", f"{theirs:.2f} s bare Engine", mine / theirs, "≤ 1.15")


def _ours(cluster: Cluster, pods: int) -> float:
    begun = time.perf_counter()
    cluster.run("apply", "-f", "-", stdin=MANIFEST % pods)
    cluster.run(
        "wait", f"--for=jsonpath={{.status.readyReplicas}}={pods}", "deployment/bench", "--timeout=120s"
    )
    took = time.perf_counter() - begun
    cluster.run("delete", "deployment", "bench", "--cascade=foreground")
    cluster.run("wait", "--for=delete", "pod", "-l", "app=bench", "--timeout=60s", check=False)
    return took


def _bare(name: str, pods: int) -> float:
    """Create and start a pause and an app container for each pod, ten pods at a time, and nothing else."""
    engine = docker.APIClient(version="1.41", max_pool_size=AT_ONCE * 2)
    network, made = f"minikctl-{name}", []
    label = {"minikctl.dev/bench": uuid.uuid4().hex}

    def pod(number: int) -> None:
        host = engine.create_host_config(network_mode=network)
        pause = engine.create_container(
            "minikctl-infra:latest",
            ["/pause"],
            host_config=host,
            labels=label,
            name=f"{label['minikctl.dev/bench']}-{number}",
        )["Id"]
        made.append(pause)
        engine.start(pause)
        joined = engine.create_host_config(network_mode=f"container:{pause}")
        app = engine.create_container("minikctl-demo:latest", host_config=joined, labels=label)["Id"]
        made.append(app)
        engine.start(app)

    try:
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            begun = time.perf_counter()
            list(pool.map(pod, range(pods)))
            return time.perf_counter() - begun
    finally:
        for container in reversed(made):
            engine.remove_container(container, force=True)
        engine.close()
