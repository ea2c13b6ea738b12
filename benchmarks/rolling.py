"""Rolling updates of ten replicas under constant load, through a Service and through an Ingress: what is lost."""

from __future__ import annotations

import re
import subprocess
import time

from benchmarks.harness import Cluster, Row
from benchmarks.network import pause_pid

REQUESTS = 100_000
CONNECTIONS = 4
MOST_SECONDS = 120
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: rolling}
spec:
  replicas: 10
  selector: {matchLabels: {app: rolling}}
  template:
    metadata: {labels: {app: rolling}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
      - name: app
        image: minikctl-demo:latest
        imagePullPolicy: IfNotPresent
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        lifecycle: {preStop: {sleep: {seconds: 2}}}
---
apiVersion: v1
kind: Service
metadata: {name: rolling}
spec: {selector: {app: rolling}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: rolling}
spec:
  rules:
  - host: rolling.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: rolling, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: roller}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "minikctl-demo:latest", imagePullPolicy: IfNotPresent}
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return how many requests each way lost while all replicas were replaced again and again."""
    cluster.run("apply", "-f", "-", stdin=MANIFEST)
    cluster.run("wait", "--for=condition=Ready", "pod/roller", "--timeout=60s")
    cluster.run("rollout", "status", "deployment/rolling", "--timeout=120s")
    address = cluster.get("ingress", "rolling")["status"]["loadBalancer"]["ingress"][0]["ip"]
    virtual = cluster.get("service", "rolling")["spec"]["clusterIP"]
    inside = ["nsenter", "-t", pause_pid(cluster, "roller"), "-n"]
    # New connections: one that is kept open ends with its pod, as on any cluster.
    through_service = _Load([*inside, "wrk"], f"http://{virtual}/", "Connection: close")
    through_ingress = _Load(["wrk"], f"http://{address}/", "Host: rolling.localhost")
    updates, begun = 0, time.monotonic()
    while time.monotonic() < begun + MOST_SECONDS - 40 or updates == 0:
        cluster.run("rollout", "restart", "deployment/rolling")
        cluster.run("rollout", "status", "deployment/rolling", "--timeout=120s")
        updates += 1
    rows = []
    for name, load in (("Service", through_service), ("Ingress", through_ingress)):
        asked, lost = load.result()
        kinds = ", ".join(f"{count} {kind}" for kind, count in lost.items() if count)
        rows.append(
            Row(
                f"rolling updates ({updates}) of 10 replicas, {name}",
                f"{sum(lost.values())} lost{kinds and f' ({kinds})'}",
                f"of {asked:,}",
                None,
                "0",
            )
        )
    cluster.run("delete", "-f", "-", stdin=MANIFEST)
    return rows


class _Load:
    """One wrk that goes on until it is asked for its result."""

    def __init__(self, command: list[str], url: str, header: str) -> None:
        words = [
            *command,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{MOST_SECONDS}s",
            "--timeout",
            "10s",
            "-H",
            header,
            url,
        ]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def result(self) -> tuple[int, dict[str, int]]:
        """Return (requests, those lost by what wrk says of them)."""
        out, _ = self._process.communicate(timeout=MOST_SECONDS + 30)
        asked = re.search(r"(\d+) requests in", out)
        lost = {kind: int(count) for kind, count in re.findall(r"\b(connect|read|write|timeout) (\d+)", out)}
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
        lost["refused"] = int(refused[1]) if refused else 0
        return int(asked[1]) if asked else 0, lost
