"""Our Ingress beside nginx, Traefik and Envoy, and a thousand rules beside ten.

All proxies run in containers of one image with the same share of the processors, route the same hosts to the
same pod and are asked at their containers' own addresses, in turns.  Each peer is measured with as many workers
as ours has threads and with one for each processor, as is its default.  Peers log nothing; ours logs one
request in a hundred at these rates.  Beside each rate stands the processor time that the proxy took.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import harness, network, proxies
from benchmarks.harness import Cluster, Row, docker
from benchmarks.proxies import Peer
from minikctl.plan import haproxy

FEW, MANY = 10, 1000
SERVICES = 100
ROUNDS = 5
SERVER = """
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: server-%d}
spec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site-%d}
spec:
  rules:
  - host: %s
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: server-%d, port: {number: 80}}}}]}
"""


@dataclass
class Way:
    """A proxy that serves: where, in which container, and what was measured of it."""

    name: str
    address: str
    container: str
    rates: list[float] = field(default_factory=list)
    micros: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Take one round: the rate, and the microseconds of processor time for each request."""
        before = harness.cpu_ns(self.container)
        rate = network.rate([], f"http://{self.address}/", f"Host: {_host(FEW // 2)}")
        self.rates.append(rate)
        self.micros.append((harness.cpu_ns(self.container) - before) / (rate * network.SECONDS) / 1000)

    def forget(self) -> None:
        """Begin anew."""
        self.rates, self.micros = [], []

    @property
    def rate(self) -> float:
        """The median of the rates."""
        return statistics.median(self.rates)

    @property
    def text(self) -> str:
        """What a table shows of it."""
        return f"{self.rate:,.0f}/s, {statistics.median(self.micros):.0f} µs CPU"


def measure(cluster: Cluster) -> list[Row]:
    """Return a row for each peer and number of workers, and one for the number of rules."""
    cpus = os.cpu_count() or 1
    workers = sorted({haproxy.threads(cpus), cpus})
    with ExitStack() as stack:
        crowded = stack.enter_context(harness.cluster())
        ours, many = _ours(cluster, FEW), _ours(crowded, MANY)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="minikctl-proxies-")))
        address = cluster.get("pod", "server")["status"]["podIP"]
        proxies.write(folder, [_host(number) for number in range(FEW)], f"{address}:8080", workers)
        peers = [
            stack.enter_context(_running(peer, count, cluster, folder, ours.container))
            for peer in proxies.PEERS
            for count in workers
        ]
        ways = [ours, *peers]
        for turn in range(ROUNDS):
            for way in (*ways[turn:], *ways[:turn]):  # nobody always comes first
                way.measure()
        rows = [_row(f"Ingress beside {way.name}", ours, way, "> 1") for way in peers]
        ours.forget()
        for turn in range(2 * ROUNDS):
            for way in (ours, many) if turn % 2 else (many, ours):
                way.measure()
    cluster.run("delete", "-f", "-", stdin=_manifests(FEW))
    return [*rows, _row(f"Ingress with {MANY:,} rules beside {FEW}", many, ours, "≥ 0.95")]


def _row(name: str, ours: Way, other: Way, goal: str) -> Row:
    return Row(name, ours.text, other.text, ours.rate / other.rate, goal)


def _host(number: int) -> str:
    return f"site-{number}.bench.test"


def _manifests(rules: int) -> str:
    services = min(rules, SERVICES)
    parts = [SERVER, *(SERVICE % number for number in range(services))]
    return "---".join(parts + [INGRESS % (one, _host(one), one % services) for one in range(rules)])


def _ours(cluster: Cluster, rules: int) -> Way:
    """Return our proxy with that many Ingresses, once it serves the last."""
    cluster.run("apply", "-f", "-", stdin=_manifests(rules))
    cluster.wait_ready("app=server")
    found = [f"label=minikctl.dev/cluster={cluster.name}", "label=minikctl.dev/container=haproxy"]
    pod = cluster.get("pods", "-n", "kube-system", "-l", "k8s-app=minikctl-ingress")["items"][0]
    found.append(f"label=minikctl.dev/pod-uid={pod['metadata']['uid']}")
    container = docker("ps", "-q", "--no-trunc", *(word for one in found for word in ("--filter", one)))
    way = Way(f"{rules} rules", pod["status"]["podIP"], container)
    for number in (FEW // 2, rules - 1):
        _await_served(way, _host(number))
    return way


@contextmanager
def _running(peer: Peer, workers: int, cluster: Cluster, conf: Path, like: str) -> Iterator[Way]:
    """Run a peer in a container that has the share of the processors of another container."""
    name = f"minikctl-bench-{uuid.uuid4().hex[:8]}"
    shares = docker("inspect", "-f", "{{.HostConfig.CpuShares}}", like)
    command = [part.format(workers=workers) for part in peer.command]
    mounts = [f"{peer.folder()}:/peer:ro", f"{conf}:/conf:ro", f"{proxies.LIBRARIES}:/libraries:ro"]
    docker(
        "run", "-d", "--name", name, "--label", "minikctl.dev/bench=1", "--cpu-shares", shares,
        "--network", f"minikctl-{cluster.name}", "-e", f"GOMAXPROCS={workers}",
        *(word for mount in mounts for word in ("-v", mount)),
        "--entrypoint", command[0], "minikctl-infra:latest", *command[1:],
    )  # fmt: skip
    try:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = f"{docker('inspect', '-f', form, name)}:{proxies.PORT}"
        way = Way(
            f"{peer.package}, {workers} worker{'s' if workers > 1 else ''}",
            address,
            docker("inspect", "-f", "{{.Id}}", name),
        )
        _await_served(way, _host(FEW // 2))
        yield way
    finally:
        docker("rm", "-f", name)


def _await_served(way: Way, host: str) -> None:
    argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-m", "5", "-H", f"Host: {host}"]
    end = time.monotonic() + 60
    while True:
        done = subprocess.run([*argv, f"http://{way.address}/"], capture_output=True, text=True, check=False)
        if done.stdout == "200":
            return
        if time.monotonic() > end:
            logs = subprocess.run(
                ["docker", "logs", way.container], capture_output=True, text=True, check=False
            )
            raise RuntimeError(
                f"{way.name} does not serve: {done.stdout} {done.stderr} {logs.stderr[-2000:]}"
            )
        time.sleep(0.2)
