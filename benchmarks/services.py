"""What a Service's address costs by itself and among a thousand, beside the pod's own and a lone rule of DNAT.

The lone rule stands in a network namespace with nothing else in it, so it is the least that translation costs.
In each round every way is tried once, and the pod's own address twice: how far it is from itself is the noise,
and a difference that is smaller than that says nothing.  Rates come from wrk, which keeps all processors busy; there
the slowest of a hundred requests are those that waited for one, so percentiles come from ``benchmarks.latency``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from benchmarks import harness, network
from benchmarks.harness import ROOT, Cluster, Row, docker

ROUNDS = 12
MANY = 1_000
VIRTUAL = "198.18.0.1"
"""The address of the lone rule: of a range for tests of devices, and routed within the namespace only."""
DNAT = """
table ip lone {{
    chain output {{
        type nat hook output priority -100; policy accept;
        ip daddr {virtual} tcp dport 80 dnat to {server}:8080
    }}
}}
"""
Way = tuple[list[str], str]
Tried = dict[str, list[float]]
"""What was measured by each way, round by round."""


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons; the ways of each are tried in turn."""
    pods = [harness.pod(name) for name in ("server", "client")]
    cluster.run("apply", "-f", "-", stdin=_list([*pods, _service("server")]))
    for name in ("server", "client"):
        cluster.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    server = cluster.get("pod", "server")["status"]["podIP"]
    virtual = cluster.get("service", "server")["spec"]["clusterIP"]
    inside = ["nsenter", "-t", network.pause_pid(cluster, "client"), "-n"]
    with _alone(cluster, server) as alone:
        ways: dict[str, Way] = {
            "direct": (inside, f"http://{server}:8080/"),
            "virtual": (inside, f"http://{virtual}/"),
            "again": (inside, f"http://{server}:8080/"),
            "untouched": (alone, f"http://{server}:8080/"),
            "translated": (alone, f"http://{VIRTUAL}/"),
        }
        few, late = _rates(ways), _percentiles(ways)
    cluster.run("apply", "-f", "-", stdin=_list([_service(f"other-{number}") for number in range(MANY)]))
    _written(inside)
    left = {name: ways[name] for name in ("direct", "virtual", "again")}
    many, many_late = _rates(left), _percentiles(left)
    cluster.run("delete", "service", "-l", "part=bench", "--wait=false")
    cluster.run("delete", "pod", "server", "client")
    among = f"among {MANY:,} Services"
    return [
        *_rows("ClusterIP beside pod IP", few, late, "virtual", "direct", ("≥ 0.97", "≤ 1.03")),
        *_rows("a lone rule of DNAT beside pod IP: the limit", few, late, "translated", "untouched"),
        *_rows("pod IP beside itself: the noise", few, late, "again", "direct"),
        *_rows(
            f"{among}: ClusterIP beside pod IP", many, many_late, "virtual", "direct", ("≥ 0.97", "≤ 1.03")
        ),
        *_rows(f"{among}: pod IP beside itself: the noise", many, many_late, "again", "direct"),
    ]


def _rates(ways: dict[str, Way]) -> Tried:
    """Return the requests/s; each round tries all ways, and another one first."""
    found: Tried = {name: [] for name in ways}
    for number in range(ROUNDS):
        # Who comes first changes: what one way leaves behind is not always met by the same other one.
        turn = list(ways.items())
        for name, way in turn[number % len(turn) :] + turn[: number % len(turn)]:
            found[name].append(network.rate(*way))
    return found


def _percentiles(ways: dict[str, Way]) -> Tried:
    """Return the 99th percentiles in microseconds; ways of one namespace are tried request by request in turn."""
    found: Tried = {}
    for inside in {tuple(inside) for inside, _ in ways.values()}:
        names = [name for name, (place, _) in ways.items() if tuple(place) == inside]
        addresses = [urlsplit(ways[name][1]) for name in names]
        asked = [f"{address.hostname}:{address.port or 80}" for address in addresses]
        command = [*inside, sys.executable, "-m", "benchmarks.latency", *asked]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        rounds = json.loads(done.stdout)
        found |= {name: [one[number][1] for one in rounds] for number, name in enumerate(names)}
    return found


def _rows(
    what: str, rates: Tried, late: Tried, ours: str, bare: str, goals: tuple[str, str] = ("", "")
) -> list[Row]:
    return [
        _row(f"{what}, keep-alive", rates[ours], rates[bare], "{:,.0f}/s", goals[0]),
        _row(f"{what}, p99", late[ours], late[bare], "{:.0f} µs", goals[1]),
    ]


def _row(name: str, ours: Sequence[float], bare: Sequence[float], words: str, goal: str) -> Row:
    """Return the medians, and the median of the rounds' ratios with what lies around it in half of the rounds."""
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    mine, other = (words.format(statistics.median(each)) for each in (ours, bare))
    return Row(f"{name} ({low:.2f} to {high:.2f} in half of the rounds)", mine, other, middle, goal)


def _written(inside: list[str]) -> None:
    """Return when the namespace has the rules of all Services."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        listed = subprocess.run(
            [*inside, "nft", "list", "table", "inet", "minikctl"], capture_output=True, check=True
        )
        if listed.stdout.count(b"default/other-") >= MANY:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the rules of {MANY} Services were not there within a minute")


@contextmanager
def _alone(cluster: Cluster, server: str) -> Iterator[list[str]]:
    """Yield what leads into a namespace on the cluster's network that has no rule but one of DNAT."""
    name = f"minikctl-bench-{uuid.uuid4().hex[:8]}"
    words = [
        "--label",
        "minikctl.dev/bench=1",
        "--network",
        f"minikctl-{cluster.name}",
        "--entrypoint",
        "/pause",
    ]
    docker("run", "-d", "--name", name, *words, "minikctl-infra:latest")
    try:
        inside = ["nsenter", "-t", docker("inspect", "-f", "{{.State.Pid}}", name), "-n"]
        route = ["ip", "route", "add", f"{VIRTUAL}/32", "dev", "eth0", "scope", "link"]
        subprocess.run([*inside, *route], check=True)
        rules = DNAT.format(virtual=VIRTUAL, server=server)
        subprocess.run([*inside, "nft", "-f", "-"], input=rules, text=True, check=True)
        yield inside
    finally:
        docker("rm", "-f", name)


def _list(items: list[dict[str, Any]]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {"part": "bench"}},
        "spec": spec,
    }
