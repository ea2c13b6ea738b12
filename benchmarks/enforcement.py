"""From a change that concerns a NetworkPolicy to the first packet that meets it.

A policy that comes and goes, a label of the client's pod, a label of the client's namespace: the clock starts
before the change is sent to the API.  A client in the pod tries to connect every few milliseconds.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import harness, network
from benchmarks.api import Api, access
from benchmarks.harness import Cluster, Row

ROUNDS = 50
BETWEEN_SECONDS = 0.1
PAUSE_SECONDS = 0.003
MOST_SECONDS = 10.0
PASSES_SECONDS = 0.005
"""A packet that passes is answered within this, or with the next try."""
LOST_SECONDS = 0.1
"""A packet without an answer for so long was dropped; when it was sent is what counts."""
OTHER = "bench-other"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies"
MERGE = "application/merge-patch+json"
Change = Callable[[bool], object]
"""Makes the client allowed, or not."""


def measure(cluster: Cluster) -> list[Row]:
    """Return a row for each kind of change."""
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHER}},
        harness.pod("server", "default"),
        harness.pod("client", "default"),
        harness.pod("client", OTHER),
    ]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.run("apply", "-f", "-", stdin=manifest)
    for name, space in (("server", "default"), ("client", "default"), ("client", OTHER)):
        cluster.run("wait", "--for=condition=Ready", f"pod/{name}", "-n", space, "--timeout=60s")
    address = cluster.get("pod", "server")["status"]["podIP"]
    api = Api(*access(cluster))
    try:
        return [
            _row("a policy", _tried(cluster, "default", address, lambda on: _policy(api, on))),
            _row("a pod's label", _by_label(cluster, api, "default", address)),
            _row("a namespace's label", _by_label(cluster, api, OTHER, address)),
        ]
    finally:
        cluster.run("delete", "networkpolicy", "--all", check=False)
        cluster.run("delete", "-f", "-", stdin=manifest, check=False)


def _row(what: str, found: list[float]) -> Row:
    late = statistics.quantiles(found, n=100)[98]
    text = f"{statistics.median(found):.0f} ms, p99 {late:.0f} ms"
    return Row(f"{what} changed to met by packets, {len(found)} times", text, "", late / 150, "p99 ≤ 150 ms")


def _policy(api: Api, allowed: bool) -> None:
    if allowed:
        api("DELETE", f"{POLICIES}/bench-deny")
    else:
        api("POST", POLICIES, _ingress("bench-deny", []))


def _by_label(cluster: Cluster, api: Api, space: str, address: str) -> list[float]:
    """Return the times where one policy stays, and a label of the client's pod, or of its namespace, changes."""
    selector = "podSelector" if space == "default" else "namespaceSelector"
    path = "/api/v1/namespaces/default/pods/client" if space == "default" else f"/api/v1/namespaces/{space}"

    def change(allowed: bool) -> None:
        api("PATCH", path, {"metadata": {"labels": {"bench": "yes" if allowed else "no"}}}, MERGE)

    change(True)
    api(
        "POST", POLICIES, _ingress("bench-label", [{"from": [{selector: {"matchLabels": {"bench": "yes"}}}]}])
    )
    found = _tried(cluster, space, address, change)
    api("DELETE", f"{POLICIES}/bench-label")
    return found


def _tried(cluster: Cluster, space: str, address: str, change: Change) -> list[float]:
    """Return how long after each change, in ms, a packet of the namespace's client met it."""
    inside = ["nsenter", "-t", network.pause_pid(cluster, "client", space), "-n"]
    command = [*inside, sys.executable, "-m", "benchmarks.enforcement", address]
    found = []
    with ExitStack() as stack:
        client = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        )
        stack.callback(client.terminate)
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("yes\n")
        client.stdout.readline()
        for number in range(ROUNDS):
            allowed = bool(number % 2)
            client.stdin.write("yes\n" if allowed else "no\n")
            begun = time.monotonic()
            change(allowed)
            line = client.stdout.readline().strip()
            if not line:
                raise RuntimeError(f"{address}: it was not {'allowed' if allowed else 'refused'} in time")
            found.append(1000 * (float(line) - begun))
            time.sleep(BETWEEN_SECONDS)
    return found


def _ingress(name: str, rules: list[Any]) -> dict[str, Any]:
    """Return a policy of the server that allows these."""
    spec = {"podSelector": {"matchLabels": {"app": "server"}}, "policyTypes": ["Ingress"], "ingress": rules}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def _passes(address: str, seconds: float) -> bool:
    try:
        with socket.create_connection((address, 8080), timeout=seconds):
            return True
    except OSError:
        return False


def serve(address: str) -> None:
    """For each line of standard input, try until it is so; print when that packet left, "" if it took too long."""
    for line in sys.stdin:
        wanted = line.strip() == "yes"
        deadline = time.monotonic() + MOST_SECONDS
        while (left := time.monotonic()) < deadline:
            if _passes(address, PASSES_SECONDS if wanted else LOST_SECONDS) == wanted:
                break
            time.sleep(PAUSE_SECONDS)
        print(left if left < deadline else "", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
