"""Whole processes: ``minikctl get pods`` beside stock kubectl on the same server."""

from __future__ import annotations

import pathlib
import sys

from benchmarks.harness import PROGRAM, Cluster, Row, interleaved

RUNS = 15


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, the two programs in turn."""
    kubectl = str(pathlib.Path(sys.executable).parent / "kubectl")
    config = cluster.environment["MINIKCTL_HOME"] + "/bench.kubeconfig"
    pathlib.Path(config).write_text(cluster.run("cluster", "kubeconfig"), encoding="utf-8")
    rows = []
    for words in (["get", "pods", "-A"], ["get", "deployments", "-A", "-o", "yaml"], ["version"]):
        mine, theirs = interleaved(
            [PROGRAM, *words], [kubectl, "--kubeconfig", config, *words], RUNS, cluster.environment
        )
        goal = "≤ 1.5" if words[:2] == ["get", "pods"] else "published"
        rows.append(Row(" ".join(words), f"{mine:.0f} ms", f"{theirs:.0f} ms kubectl", mine / theirs, goal))
    return rows
