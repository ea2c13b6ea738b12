"""From an endpoint that becomes ready to the client that reaches it: by virtual IP, by DNS and through Ingress.

Among 100 pods and 100 Services, a readiness gate is opened by the API; the clock starts before that request is
sent.  Clients try every ten milliseconds, the first two from within a pod: more often they would take the processor
from those that they wait for.  The processor time of the agent, which writes the rules, has a row of its own.
"""

from __future__ import annotations

import http.client
import resource
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType

from benchmarks import harness
from benchmarks.api import Api, access
from benchmarks.harness import Cluster, Row, docker
from benchmarks.network import pause_pid

PODS = 98  # with the two that are measured: 100
GROUPS = 14
SERVICES = 98
ROUNDS = 100
PROCESSES = 20
PAUSE_SECONDS = 0.01
MOST_SECONDS = 10.0
BETWEEN_SECONDS = 0.3
"""The other pods' namespaces learn of a change after the client's: each change is one by itself."""
SETTLE_SECONDS = 10.0
"""Until what a hundred new pods have set going has ended."""
GATE = "bench.minikctl.dev/open"
HOST = "gated.bench.localhost"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  terminationGracePeriodSeconds: 0
  readinessGates: %s
  containers: [{name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}]
"""
GROUP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: fill-%d}
spec:
  replicas: %d
  selector: {matchLabels: {group: "%d"}}
  template:
    metadata: {labels: {group: "%d"}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}]
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {selector: {%s}, ports: [{port: 80, targetPort: 8080}]%s}
"""
INGRESS = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: gated}}
spec:
  rules:
  - host: {HOST}
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: gated, port: {{number: 80}}}}}}}}]}}
"""
WAYS = {"ip": "virtual IP", "dns": "DNS name", "http": "Ingress"}


def measure(cluster: Cluster) -> list[Row]:
    """Return a row for each way."""
    cluster.run("apply", "-f", "-", stdin=_manifests())
    try:
        for number in range(GROUPS):
            cluster.run("rollout", "status", f"deployment/fill-{number}", "--timeout=180s")
        cluster.wait_ready("app=client")
        cluster.run("wait", "--for=condition=ContainersReady", "pod/gated", "--timeout=60s")
        time.sleep(SETTLE_SECONDS)
        spent = harness.cpu_ns(agent := _agent(cluster))
        times = _rounds(cluster)
        spent = harness.cpu_ns(agent) - spent
        rows = [_row(WAYS[way], found) for way, found in times.items()]
        return [*rows, _agent_row(spent / (2 * ROUNDS), _process_ns(cluster))]
    finally:
        cluster.run("delete", "-f", "-", stdin=_manifests(), check=False)


def _agent(cluster: Cluster) -> str:
    """Return the container in which rules are written."""
    labels = (f"minikctl.dev/cluster={cluster.name}", "minikctl.dev/container=agent")
    return docker(
        "ps", "-q", "--no-trunc", *(word for one in labels for word in ("--filter", f"label={one}"))
    )


def _process_ns(cluster: Cluster) -> float:
    """Return the processor time that a process of nft takes for a change in one namespace."""
    argv = ["nsenter", "-t", pause_pid(cluster, "client"), "-n", "nft", "-f", "-"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(PROCESSES):
        subprocess.run(argv, input="add table ip bench\ndelete table ip bench\n", text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e9 * (sum(after[:2]) - sum(before[:2])) / PROCESSES


def _agent_row(ours: float, process: float) -> Row:
    """Return what a change of rules costs the agent, what it does every minute and hears included."""
    namespaces = PODS + 2
    name = f"agent's processor time for a change of rules in {namespaces} pods"
    bare = process * namespaces
    return Row(name, f"{ours / 1e6:.1f} ms", f"{bare / 1e6:.0f} ms, a process of nft each", ours / bare, "")


def _manifests() -> str:
    parts = [POD % ("client", "client", "[]"), POD % ("gated", "gated", f'[{{conditionType: "{GATE}"}}]')]
    parts += [GROUP % (number, PODS // GROUPS, number, number) for number in range(GROUPS)]
    parts += [SERVICE % (f"fill-{number}", f'group: "{number % GROUPS}"', "") for number in range(SERVICES)]
    parts += [
        SERVICE % ("gated", "app: gated", ""),
        SERVICE % ("headless", "app: gated", ", clusterIP: None"),
    ]
    return "---".join([*parts, INGRESS])


def _row(way: str, found: list[float]) -> Row:
    late = statistics.quantiles(found, n=100)[98]
    text = f"{statistics.median(found):.0f} ms, p99 {late:.0f} ms"
    return Row(f"endpoint ready to reached by {way}, {ROUNDS} times", text, "", late / 150, "p99 ≤ 150 ms")


def _rounds(cluster: Cluster) -> dict[str, list[float]]:
    api = Api(*access(cluster))
    inside = ["nsenter", "-t", pause_pid(cluster, "client"), "-n"]
    address = cluster.get("ingress", "gated")["status"]["loadBalancer"]["ingress"][0]["ip"]
    virtual = cluster.get("service", "gated")["spec"]["clusterIP"]
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with (
        Asker([*inside], "ip", virtual) as by_ip,
        Asker([*inside], "dns", "headless.default.svc.cluster.local") as by_name,
        Asker([], "http", address) as by_ingress,
    ):
        askers = {"ip": by_ip, "dns": by_name, "http": by_ingress}
        _all(askers, "no")  # three interpreters that start are no part of the first round
        for _ in range(ROUNDS):
            for asker in askers.values():
                asker.ask("yes")
            begun = time.monotonic()
            _gate(api, "True")
            for way, asker in askers.items():
                times[way].append(1000 * (asker.answer() - begun))
            for asker in askers.values():
                asker.ask("no")
            _gate(api, "False")
            for asker in askers.values():
                asker.answer()
            time.sleep(BETWEEN_SECONDS)
    return times


def _all(askers: dict[str, Asker], wanted: str) -> None:
    for asker in askers.values():
        asker.ask(wanted)
    for asker in askers.values():
        asker.answer()


def _gate(api: Api, status: str) -> None:
    body = {"status": {"conditions": [{"type": GATE, "status": status}]}}
    path = "/api/v1/namespaces/default/pods/gated/status"
    api("PATCH", path, body, "application/strategic-merge-patch+json")


class Asker:
    """A process that tries one way, from where ``prefix`` leads, until that is as asked."""

    def __init__(self, prefix: list[str], way: str, target: str) -> None:
        self._command = [*prefix, sys.executable, "-m", "benchmarks.programming", way, target]

    def __enter__(self) -> Asker:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, wanted: str) -> None:
        """Have it try until it works ("yes") or does not ("no")."""
        assert self._process.stdin is not None
        self._process.stdin.write(wanted + "\n")

    def answer(self) -> float:
        """Return the monotonic time at which it was so."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip():
            raise RuntimeError(f"{' '.join(self._command[-2:])}: it did not become as asked")
        return float(line)


def reaches_ip(address: str) -> bool:
    """Tell whether a connection is accepted."""
    try:
        with socket.create_connection((address, 80), timeout=1):
            return True
    except OSError:
        return False


def finds_name(name: str) -> bool:
    """Tell whether the cluster's DNS has an address for the name."""
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        try:
            asking.sendto(query, ("10.96.0.10", 53))
            return bool(struct.unpack(">6H", asking.recv(512)[:12])[3])
        except OSError:
            return False


def is_served(address: str) -> bool:
    """Tell whether the Ingress has an answer of the pod."""
    connection = http.client.HTTPConnection(address, 80, timeout=1)
    try:
        connection.request("GET", "/", headers={"Host": HOST})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


TRIES: dict[str, Callable[[str], bool]] = {"ip": reaches_ip, "dns": finds_name, "http": is_served}


def serve(way: str, target: str) -> None:
    """For each line of standard input, try until it is so and print when that was; "" if it took too long."""
    for line in sys.stdin:
        wanted = line.strip() == "yes"
        deadline = time.monotonic() + MOST_SECONDS
        while (now := time.monotonic()) < deadline:
            if TRIES[way](target) == wanted:
                now = time.monotonic()
                break
            time.sleep(PAUSE_SECONDS)
        print(now if now < deadline else "", flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
