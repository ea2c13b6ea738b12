"""How fast what breaks is mended: dead containers, Services without a dead pod, readiness that reaches them."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
import uuid
from typing import Any

import docker

from benchmarks.harness import Cluster, Row
from benchmarks.harness import docker as run_docker
from benchmarks.network import pause_pid

ROUNDS = 7
KILLS = 5
BACKOFF_SECONDS = 12
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: heal}
spec:
  replicas: 2
  selector: {matchLabels: {app: heal}}
  template:
    metadata: {labels: {app: heal}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: heal}
spec: {selector: {app: heal}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}
"""
GATED = """
apiVersion: v1
kind: Pod
metadata: {name: gated-%(number)d, labels: {app: gated-%(number)d}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: app
    image: minikctl-infra:latest
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "exec sleep 1000"]
    readinessProbe:
      periodSeconds: 1
      exec: {command: [sh, -c, "[ -f /go ] || exit 1; [ -f /seen ] || cat /proc/uptime > /seen"]}
---
apiVersion: v1
kind: Service
metadata: {name: gated-%(number)d}
spec: {selector: {app: gated-%(number)d}, ports: [{port: 80}]}
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return how long each kind of mending took."""
    cluster.run("apply", "-f", "-", stdin=MANIFEST)
    cluster.wait_ready("app=heal")
    cluster.run("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
    rows = [_restarts(cluster), _failover(cluster), _endpoints(cluster)]
    cluster.run("delete", "-f", "-", stdin=MANIFEST)
    return rows


def _restarts(cluster: Cluster) -> Row:
    """Kill containers of fresh pods, whose first restart knows no back-off; beside it a bare create and start."""
    engine = docker.APIClient(version="1.41")
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_bare_start(engine))
        pod = cluster.get("pods", "-l", "app=heal")["items"][0]["metadata"]["name"]
        since = time.time()
        run_docker("kill", _container(cluster, pod))
        filters = {"label": [f"minikctl.dev/cluster={cluster.name}", f"minikctl.dev/pod-name={pod}"]}
        died = 0
        for event in engine.events(  # type: ignore[call-overload]  # the Engine takes fractions of a second
            since=f"{since:.9f}", filters={**filters, "type": "container"}, decode=True
        ):
            if event["Action"] == "die" and not died:
                died = event["timeNano"]
            if event["Action"] == "start" and died:
                ours.append((event["timeNano"] - died) / 1e6)
                break
        cluster.run("delete", "pod", pod)
        cluster.run("wait", "--for=condition=Available", "deployment/heal", "--timeout=60s")
        cluster.wait_ready("app=heal")
    engine.close()
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return Row(
        "dead container to the next one's start",
        f"{mine:.0f} ms",
        f"{theirs:.0f} ms bare create and start",
        None,
        "< 300 ms more",
    )


def _bare_start(engine: Any) -> float:
    host = engine.create_host_config(network_mode="none")
    begun = time.perf_counter()
    made = engine.create_container(
        "minikctl-demo:latest", host_config=host, labels={"minikctl.dev/bench": uuid.uuid4().hex}
    )["Id"]
    engine.start(made)
    took = (time.perf_counter() - begun) * 1000
    engine.remove_container(made, force=True)
    return took


def _container(cluster: Cluster, pod: str) -> str:
    labels = (("cluster", cluster.name), ("pod-name", pod), ("role", "app"))
    words = [word for key, value in labels for word in ("--filter", f"label=minikctl.dev/{key}={value}")]
    return run_docker("ps", "-q", "--no-trunc", *words)


def _failover(cluster: Cluster) -> Row:
    """Kill one of two pods' containers and see until when requests to the Service fail."""
    address = cluster.get("service", "heal")["spec"]["clusterIP"]
    inside = ["nsenter", "-t", pause_pid(cluster, "client"), "-n"]
    found = []
    for _ in range(KILLS):
        time.sleep(1)
        pod = cluster.get("pods", "-l", "app=heal")["items"][0]["metadata"]["name"]
        victim = _container(cluster, pod)
        asking = subprocess.Popen(
            [*inside, sys.executable, "-m", "benchmarks.healing", address], stdout=subprocess.PIPE, text=True
        )
        time.sleep(1)
        asked = time.time()
        run_docker("kill", victim)
        out, _ = asking.communicate(timeout=30)
        killed = _died(victim, asked)
        failed = [float(line) for line in out.split() if float(line) > killed]
        found.append(max((1000 * (moment - killed) for moment in failed), default=0.0))
        cluster.run("delete", "pod", pod)
        cluster.wait_ready("app=heal")
    return Row(
        "killed pod of a Service to the last request that meets it",
        f"{statistics.median(found):.0f} ms, at most {max(found):.0f}",
        "",
        None,
        "< 200 ms",
    )


def _died(container: str, since: float) -> float:
    """Return when the container ended, as its engine says: the command that kills takes a while itself."""
    span = ["--since", f"{since:.9f}", "--until", f"{time.time():.9f}"]
    chosen = ["--filter", f"container={container}", "--filter", "event=die", "--format", "{{.TimeNano}}"]
    return int(run_docker("events", *span, *chosen).split()[0]) / 1e9


def ask(address: str, seconds: float = 3.0) -> None:
    """Ask again and again by new connections; print when each request that failed began."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        began = time.time()
        connection = http.client.HTTPConnection(address, 80, timeout=2)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            print(began)
        except http.client.HTTPException:
            print(began)
        finally:
            connection.close()
        time.sleep(0.002)


def _endpoints(cluster: Cluster) -> Row:
    """Have probes pass for the first time, and see when a watch of the slices tells it."""
    found = []
    for number in range(ROUNDS):
        manifest = GATED % {"number": number}
        name = f"gated-{number}"
        cluster.run("apply", "-f", "-", stdin=manifest)
        cluster.run("wait", "--for=jsonpath={.status.phase}=Running", f"pod/{name}", "--timeout=60s")
        words = ["get", "endpointslices", "-l", f"kubernetes.io/service-name={name}", "-w", "-o"]
        watch = cluster.popen(*words, 'jsonpath={.endpoints[*].conditions.ready}{"\\n"}')
        assert watch.stdout is not None
        cluster.run("exec", name, "--", "touch", "/go")
        for line in watch.stdout:
            if "true" in line:
                break
        told = _uptime()
        watch.terminate()
        watch.wait()
        decided = float(cluster.run("exec", name, "--", "cat", "/seen").split()[0])
        found.append(1000 * (told - decided))
        cluster.run("delete", "-f", "-", stdin=manifest)
    return Row(
        "a probe's answer to a watcher of the EndpointSlice",
        f"{statistics.median(found):.0f} ms, at most {max(found):.0f}",
        "",
        None,
        "≤ 100 ms",
    )


def _uptime() -> float:
    with open("/proc/uptime", encoding="ascii") as source:
        return float(source.read().split()[0])


if __name__ == "__main__":
    ask(sys.argv[1])
