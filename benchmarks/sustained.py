"""New connections for a minute on end: by a Service's address in a pod, and by a NodePort through the publisher.

What piles up with connections (rows of conntrack, ports in TIME_WAIT) would be seen in the last ten seconds.
"""

from __future__ import annotations

import statistics

from benchmarks import network
from benchmarks.harness import Cluster, Row

PARTS = 6
SECONDS = 10


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons; each way is used for a minute without a pause."""
    cluster.run("apply", "-f", "-", stdin=network.MANIFEST)
    for name in ("server", "twin", "client"):
        cluster.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    twin = cluster.get("pod", "twin")["status"]["podIP"]
    service = cluster.get("service", "server")["spec"]
    inside = ["nsenter", "-t", network.pause_pid(cluster, "client"), "-n"]
    network.reuse_ports(inside)
    # Each way has a server of its own: what connections to one leave behind is not met by the other's.
    direct = _minute(inside, f"http://{twin}:8080/")
    virtual = _minute(inside, f"http://{service['clusterIP']}/")
    node = _minute([], f"http://127.0.0.1:{service['ports'][0]['nodePort']}/")
    with network.Published() as published:
        plain = _minute([], published.url)
    cluster.run("delete", "-f", "-", stdin=network.MANIFEST)
    return [
        *_rows("ClusterIP beside pod IP", virtual, direct),
        *_rows("NodePort beside docker run -p", node, plain),
    ]


def _minute(way: list[str], url: str) -> list[float]:
    return [network.rate(way, url, close=True, seconds=SECONDS) for _ in range(PARTS)]


def _rows(what: str, ours: list[float], bare: list[float]) -> list[Row]:
    return [
        _row(f"new connections for a minute: {what}", statistics.mean(ours), statistics.mean(bare)),
        _row("the last ten seconds of it", ours[-1], bare[-1]),
    ]


def _row(name: str, ours: float, bare: float) -> Row:
    return Row(name, f"{ours:,.0f}/s", f"{bare:,.0f}/s", ours / bare, "≥ 0.9")
