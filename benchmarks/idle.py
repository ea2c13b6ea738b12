"""What the control plane costs when nothing happens, and how fast it starts."""

from __future__ import annotations

import json
import os
import time

from benchmarks.harness import Cluster, Row

IDLE_SECONDS = 20.0


def measure(cluster: Cluster) -> list[Row]:
    """Return idle CPU and memory of the running control plane, then its restart time and memory after that.

    What the parts before have left in its caches is told beside: Events for an hour, changes for minutes.
    """
    pid = _pid(cluster)
    time.sleep(3)
    before = _ticks(pid)
    time.sleep(IDLE_SECONDS)
    share = 100 * (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK") / IDLE_SECONDS
    rows = [
        Row("control plane, idle CPU", f"{share:.2f} % of a core", "", None, "< 1 %"),
    ]
    loaded = f"{_resident(pid) / 2**20:.0f} MB"
    cluster.run("cluster", "stop")
    begun = time.perf_counter()
    cluster.run("cluster", "start", "--wait=false")
    rows.append(Row("cluster start to API ready", f"{time.perf_counter() - begun:.2f} s", "", None, "< 2 s"))
    time.sleep(IDLE_SECONDS)
    fresh = f"{_resident(_pid(cluster)) / 2**20:.0f} MB"
    rows.append(Row("control plane, resident memory", fresh, f"{loaded} after all parts", None, "< 150 MB"))
    return rows


def _pid(cluster: Cluster) -> int:
    return int(json.loads(cluster.run("cluster", "status", "-o", "json"))["pid"])


def _ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="ascii") as source:
        fields = source.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as source:
        return int(source.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
