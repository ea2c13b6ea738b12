"""What a hundred NetworkPolicies cost: two pods that they select beside two that none selects."""

from __future__ import annotations

import json
import statistics
from typing import Any

from benchmarks import harness, network
from benchmarks.harness import Cluster, Row

POLICIES = 100
ROUNDS = 7


def measure(cluster: Cluster) -> list[Row]:
    """Return the comparisons, rounds of each pair alternating."""
    objects = [harness.pod(name) for name in ("selected-server", "selected-client", "server", "client")]
    objects += [_policy(number) for number in range(POLICIES)]
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.run("apply", "-f", "-", stdin=manifest)
    ways = {}
    for role in ("selected-", ""):
        for part in ("server", "client"):
            cluster.run("wait", "--for=condition=Ready", f"pod/{role}{part}", "--timeout=60s")
        address = cluster.get("pod", f"{role}server")["status"]["podIP"]
        inside = ["nsenter", "-t", network.pause_pid(cluster, f"{role}client"), "-n"]
        network.reuse_ports(inside)
        ways[role] = (inside, f"http://{address}:8080/")
    rows = [_row(ways, close=False), _row(ways, close=True)]
    cluster.run("delete", "-f", "-", stdin=manifest)
    return rows


def _row(ways: dict[str, tuple[list[str], str]], *, close: bool) -> Row:
    rates: dict[str, list[float]] = {role: [] for role in ways}
    for _ in range(ROUNDS):
        for role, (inside, url) in ways.items():
            rates[role].append(network.rate(inside, url, close=close))
    left, right = (statistics.median(rates[role]) for role in ("selected-", ""))
    what = "new connections" if close else "keep-alive"
    name = f"{POLICIES} policies on both pods beside none, {what}"
    return Row(name, f"{left:,.0f}/s", f"{right:,.0f}/s", left / right, "≥ 0.97")


def _policy(number: int) -> dict[str, Any]:
    """Return one policy of many: each selects both pods and allows something of its own besides."""
    both = {
        "matchExpressions": [
            {"key": "app", "operator": "In", "values": ["selected-server", "selected-client"]}
        ]
    }
    block = {"ipBlock": {"cidr": f"192.0.2.{number}/32"}}
    peers = [
        {"podSelector": {"matchLabels": {"app": name}}} for name in ("selected-server", "selected-client")
    ]
    rules = [{"ports": [{"port": 8080}, {"port": 9000 + number}]}]
    spec = {
        "podSelector": both,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [*peers, block], **rules[0]}],
        "egress": [{"to": [*peers, block], **rules[0]}],
    }
    meta = {"name": f"bench-{number}", "namespace": "default"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
