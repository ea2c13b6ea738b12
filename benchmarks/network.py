"""Requests through ClusterIP, NodePort and Ingress, each beside the bare way to the same backend.

Load comes from wrk (Debian package ``wrk``), a few seconds at a time, to loopback and our own containers only.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import time
import uuid

from benchmarks.harness import Cluster, Row, docker

SECONDS = 3
ROUNDS = 5
CONNECTIONS = 8
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {name: server, labels: {app: server}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: twin, labels: {app: twin}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}
---
apiVersion: v1
kind: Service
metadata: {name: server}
spec: {type: NodePort, selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: server}
spec:
  rules:
  - host: bench.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: server, port: {number: 80}}}}]}
"""
STATIC = """
global
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend f
  bind :8000
  default_backend b
backend b
  server s {address}:8080
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, rounds of each pair alternating."""
    cluster.run("apply", "-f", "-", stdin=MANIFEST)
    for name in ("server", "twin", "client"):
        cluster.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    server, twin = (cluster.get("pod", name)["status"]["podIP"] for name in ("server", "twin"))
    service = cluster.get("service", "server")["spec"]
    pid = pause_pid(cluster, "client")
    inside = ["nsenter", "-t", pid, "-n"]
    reuse_ports(inside)
    direct, virtual = f"http://{server}:8080/", f"http://{service['clusterIP']}/"
    other = f"http://{twin}:8080/"
    port = service["ports"][0]["nodePort"]
    rows = [
        _pair("ClusterIP beside pod IP, keep-alive", inside, virtual, inside, direct, "≥ 0.9"),
        _pair(
            "ClusterIP beside pod IP, new connections", inside, virtual, inside, other, "≥ 0.9", close=True
        ),
        _pair("the same, both ways to one pod", inside, virtual, inside, direct, "≥ 0.9", close=True),
    ]
    with Published() as published:
        rows.append(
            _pair(
                "NodePort beside docker run -p", [], f"http://127.0.0.1:{port}/", [], published.url, "≥ 0.9"
            )
        )
    rows.append(_ingress(cluster, server))
    cluster.run("delete", "-f", "-", stdin=MANIFEST)
    return rows


def reuse_ports(inside: list[str]) -> None:
    """Let a client take ports again at once that its connections have left.

    Now and then wrk closes before the server does and keeps the port for a minute: with 28,000 of them used up,
    what is measured is the kernel's search for a free one, and more of it for the address that more rows use.
    """
    subprocess.run([*inside, "sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1"], check=True)


def pause_pid(cluster: Cluster, pod: str, space: str = "default") -> str:
    """Return the process that holds a pod's network namespace."""
    uid = cluster.get("pod", pod, "-n", space)["metadata"]["uid"]  # a namesake may still be going away
    filters = [
        f"label=minikctl.dev/{k}={v}"
        for k, v in (("cluster", cluster.name), ("pod-uid", uid), ("role", "pause"))
    ]
    found = docker("ps", "-q", *(word for item in filters for word in ("--filter", item)))
    return docker("inspect", "-f", "{{.State.Pid}}", found)


def _pair(
    name: str,
    our_way: list[str],
    ours: str,
    bare_way: list[str],
    bare: str,
    goal: str,
    *,
    close: bool = False,
) -> Row:
    mine, theirs = [], []
    for _ in range(ROUNDS):
        theirs.append(rate(bare_way, bare, close=close))
        mine.append(rate(our_way, ours, close=close))
    left, right = statistics.median(mine), statistics.median(theirs)
    return Row(name, f"{left:,.0f}/s", f"{right:,.0f}/s", left / right, goal)


def rate(way: list[str], url: str, *headers: str, close: bool = False, seconds: int = SECONDS) -> float:
    """Return requests per second of one short wrk run."""
    wanted = [*headers, *(["Connection: close"] if close else [])]
    command = [
        *way,
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        *(w for h in wanted for w in ("-H", h)),
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return float(found[1])


class Published:
    """The same backend as a plain container with a published port."""

    def __enter__(self) -> Published:
        self._name = f"minikctl-bench-{uuid.uuid4().hex[:8]}"
        docker(
            "run",
            "-d",
            "--name",
            self._name,
            "--label",
            "minikctl.dev/bench=1",
            "--cpu-shares",
            "2",  # as a pod without requests
            "-p",
            "127.0.0.1::8080",
            "minikctl-demo:latest",
        )
        self.url = "http://" + docker("port", self._name, "8080/tcp").splitlines()[0] + "/"
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "-f", self._name)


def _ingress(cluster: Cluster, server: str) -> Row:
    address = cluster.get("ingress", "server")["status"]["loadBalancer"]["ingress"][0]["ip"]
    name = f"minikctl-bench-{uuid.uuid4().hex[:8]}"
    config = STATIC.format(address=server)
    docker(
        "run", "-d", "--name", name, "--label", "minikctl.dev/bench=1", "--network", f"minikctl-{cluster.name}",
        "-p", "127.0.0.1::8000", "--entrypoint", "sh", "minikctl-infra:latest", "-c",
        "printf '%s' \"$0\" > /tmp/h.cfg && exec haproxy -f /tmp/h.cfg", config,
    )  # fmt: skip
    try:
        time.sleep(1)
        static = "http://" + docker("port", name, "8000/tcp").splitlines()[0] + "/"
        mine, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(rate([], static))
            mine.append(rate([], f"http://{address}/", "Host: bench.localhost"))
    finally:
        docker("rm", "-f", name)
    left, right = statistics.median(mine), statistics.median(theirs)
    return Row(
        "Ingress beside a hand-written HAProxy", f"{left:,.0f}/s", f"{right:,.0f}/s", left / right, "≥ 0.9"
    )
