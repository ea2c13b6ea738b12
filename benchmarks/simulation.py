"""A simulated cluster that grows: time and memory until all pods of one Deployment are Ready."""

from __future__ import annotations

import json
import time

from benchmarks import harness
from benchmarks.harness import Cluster, Row

SIZES = ((250, 2_500), (1_000, 10_000))
MOST_SECONDS = 600


def measure(cluster: Cluster) -> list[Row]:
    """Return a row for each size; the ratio is time per pod beside that of the first size."""
    del cluster  # the simulated ones are others
    rows: list[Row] = []
    first = 0.0
    for nodes, pods in SIZES:
        with harness.cluster(
            "--runtime", "sim", "--nodes", str(nodes), "--node-capacity", "cpu=64,memory=256Gi"
        ) as sim:
            seconds, peak = _grow(sim, pods)
        first = first or seconds / pods
        name = f"simulation: {pods:,} pods on {nodes:,} nodes, all Ready"
        ratio = seconds / pods / first
        rows.append(Row(name, f"{seconds:.0f} s, {peak / 2**20:.0f} MB", "", ratio, "≤ 1.25 per pod"))
    return rows


def _grow(cluster: Cluster, pods: int) -> tuple[float, int]:
    pid = int(json.loads(cluster.run("cluster", "status", "-o", "json"))["pid"])
    begun = time.perf_counter()
    cluster.run("create", "deployment", "big", "--image=x", f"--replicas={pods}")
    while time.perf_counter() < begun + MOST_SECONDS:
        if cluster.get("deployment", "big").get("status", {}).get("readyReplicas") == pods:
            break
        time.sleep(1)
    else:
        raise SystemExit(f"{pods} pods did not become ready within {MOST_SECONDS} s")
    return time.perf_counter() - begun, _peak(pid)


def _peak(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as source:
        found = next(line for line in source if line.startswith("VmHWM"))
    return int(found.split()[1]) * 1024
