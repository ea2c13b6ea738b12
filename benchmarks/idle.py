"""What the control plane costs when nothing happens, and how fast it starts."""

from __future__ import annotations

import json
import os
import time

from benchmarks.harness import Cluster, Row

IDLE_SECONDS = 20.0


def measure(cluster: Cluster) -> list[Row]:
    """Return idle CPU and memory of the running control plane, then its restart time."""
    pid = int(json.loads(cluster.run("cluster", "status", "-o", "json"))["pid"])
    time.sleep(3)
    before = _ticks(pid)
    time.sleep(IDLE_SECONDS)
    share = 100 * (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS
    rows = [
        Row("control plane, idle CPU", f"{share:.2f} % of a core", "", None, "< 1 %"),
        Row("control plane, resident memory", f"{_resident(pid) / 2**20:.0f} MB", "", None, "< 150 MB"),
    ]
    cluster.run("cluster", "stop")
    begun = time.perf_counter()
    cluster.run("cluster", "start", "--wait=false")
    rows.append(Row("cluster start to API ready", f"{time.perf_counter() - begun:.2f} s", "", None, "< 2 s"))
    return rows


def _ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="ascii") as source:
        fields = source.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as source:
        return int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
