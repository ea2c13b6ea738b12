"""Whole processes beside stock kubectl on the same server: wall time and memory of what is typed all day."""

from __future__ import annotations

import json
import os
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
MANY = 5000
COPIED_MB = 30
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "spec": {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "c", "image": "none"}],
    },
}


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
        ["get", "services", "-A", "-o", "yaml"],
    ):
        rows += _compared(
            " ".join(words).replace(manifest, "FILE"),
            [PROGRAM, *words],
            [*theirs, *words],
            cluster.environment,
        )
    line = ["get", "pods", "-n", "kube-system", "w"]
    rows += _compared(
        "completion of a pod name",
        [PROGRAM, "__complete", "--", *line],
        [kubectl, "__complete", "--kubeconfig", config, *line],
        cluster.environment,
        goal="≤ 1.0, < 100 ms",
    )
    return rows + _in_a_container(cluster, theirs) + _many(cluster, theirs)


def _in_a_container(cluster: Cluster, theirs: Sequence[str]) -> list[Row]:
    """Return the comparisons of what runs in a container: a command that does nothing, and a copy each way."""
    cluster.run("run", "bench-cli", "--image=minikctl-demo:latest")
    cluster.run("wait", "--for=condition=Ready", "pod/bench-cli", "--timeout=60s")
    here = cluster.environment["MINIKCTL_HOME"] + "/bench-copy"
    pathlib.Path(here).write_bytes(os.urandom(COPIED_MB * 1_000_000))
    rows = []
    for name, words in (
        ("exec POD -- true", ["exec", "bench-cli", "--", "true"]),
        (f"cp of {COPIED_MB} MB into a pod", ["cp", here, "bench-cli:/tmp/copy"]),
        (f"cp of {COPIED_MB} MB out of a pod", ["cp", "bench-cli:/tmp/copy", here]),
    ):
        rows += _compared(name, [PROGRAM, *words], [*theirs, *words], cluster.environment)
    cluster.run("delete", "pod", "bench-cli", "--now")
    return rows


def _many(cluster: Cluster, theirs: Sequence[str]) -> list[Row]:
    """Return the comparison of a list of 5,000 pods; gates keep them from the scheduler."""
    pods = [
        {**POD, "metadata": {"name": f"many-{number:04}", "labels": {"many": "x"}}} for number in range(MANY)
    ]
    path = cluster.environment["MINIKCTL_HOME"] + "/bench-many.json"
    listed = {"apiVersion": "v1", "kind": "List", "items": pods}
    pathlib.Path(path).write_text(json.dumps(listed), encoding="utf-8")
    cluster.run("create", "-f", path)
    words = ["get", "pods", "-l", "many=x"]
    rows = _compared(
        f"get of {MANY:,} pods", [PROGRAM, *words], [*theirs, *words], cluster.environment, goal="≤ 1.2"
    )
    cluster.run("delete", "pods", "-l", "many=x", "--force", "--wait=false")
    return rows


def _compared(
    name: str,
    ours: Sequence[str],
    theirs: Sequence[str],
    environment: dict[str, str],
    goal: str = "≤ 1.0",
) -> list[Row]:
    mine, other = interleaved(ours, theirs, RUNS, environment)
    memory, bare = _peak_mb(ours, environment), _peak_mb(theirs, environment)
    return [
        Row(name, f"{mine:.0f} ms", f"{other:.0f} ms kubectl", mine / other, goal),
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
