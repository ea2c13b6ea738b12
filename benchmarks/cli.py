"""Whole processes beside stock kubectl on the same server: wall time and memory of what is typed all day."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Sequence

from benchmarks.harness import PROGRAM, Cluster, Row, interleaved

RUNS = 15
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: bench-cli, labels: {app: bench-cli}}
spec:
  replicas: 0
  selector: {matchLabels: {app: bench-cli}}
  template:
    metadata: {labels: {app: bench-cli}}
    spec:
      containers:
      - {name: web, image: "minikctl-demo:latest", ports: [{containerPort: 8080}], env: [{name: A, value: b}]}
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, the two programs in turn."""
    kubectl = str(pathlib.Path(sys.executable).parent / "kubectl")
    config = cluster.environment["MINIKCTL_HOME"] + "/bench.kubeconfig"
    pathlib.Path(config).write_text(cluster.run("cluster", "kubeconfig"), encoding="utf-8")
    manifest = cluster.environment["MINIKCTL_HOME"] + "/bench.yaml"
    pathlib.Path(manifest).write_text(MANIFEST, encoding="utf-8")
    cluster.run("apply", "-f", manifest)
    theirs = [kubectl, "--kubeconfig", config]
    rows = []
    for words in (
        ["get", "pods", "-A"],
        ["apply", "-f", manifest],
        ["version", "--client"],
        ["get", "deployments", "-A", "-o", "yaml"],
    ):
        rows += _compared(" ".join(words[:3]), [PROGRAM, *words], [*theirs, *words], cluster.environment)
    line = ["get", "pods", "-n", "kube-system", "w"]
    rows += _compared(
        "completion of a pod name",
        [PROGRAM, "__complete", "--", *line],
        [kubectl, "__complete", "--kubeconfig", config, *line],
        cluster.environment,
    )
    return rows


def _compared(
    name: str, ours: Sequence[str], theirs: Sequence[str], environment: dict[str, str]
) -> list[Row]:
    mine, other = interleaved(ours, theirs, RUNS, environment)
    memory, bare = _peak_mb(ours, environment), _peak_mb(theirs, environment)
    return [
        Row(name, f"{mine:.0f} ms", f"{other:.0f} ms kubectl", mine / other, "≤ 1.0"),
        Row(f"{name}, memory", f"{memory} MB", f"{bare} MB kubectl", memory / bare, "≤ 1.0"),
    ]


def _peak_mb(command: Sequence[str], environment: dict[str, str]) -> int:
    """Return the most memory that the process had at once."""
    null = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, null, number) for number in (1, 2)]
        pid = os.posix_spawn(command[0], list(command), environment, file_actions=actions)
        _, _, usage = os.wait4(pid, 0)
    finally:
        os.close(null)
    return usage.ru_maxrss // 1024
