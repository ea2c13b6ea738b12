"""Whole processes beside stock kubectl on the same server: wall time and memory of what is typed all day."""

from __future__ import annotations

import pathlib
import subprocess
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


MEASURE = """
import os, sys
pid = os.fork()
if not pid:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.execv(sys.argv[1], sys.argv[1:])
print(os.wait4(pid, 0)[2].ru_maxrss)
"""
"""A process of its own, for Linux counts what a process had before it became the program that is measured."""


def _peak_mb(command: Sequence[str], environment: dict[str, str]) -> int:
    """Return the most memory that the process had at once."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *command],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return int(done.stdout) // 1024
