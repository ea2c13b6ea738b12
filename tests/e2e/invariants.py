"""What has to hold whenever a cluster is calm, whatever was done to it before: looked at from outside.

``python -m tests.e2e.invariants NAME`` tells what does not hold of that cluster (of ``MINIKCTL_HOME``).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from minikctl.drivers.bind import BindServers
from minikctl.model import objects
from minikctl.plan import dns_records, dns_zones, proxy, proxy_view
from tests.e2e.conftest import Cluster, docker

KINDS = (
    "pods",
    "services",
    "endpointslices",
    "nodes",
    "namespaces",
    "deployments",
    "replicasets",
    "statefulsets",
)
LABEL = "minikctl.dev/"
_TARGET = re.compile(r"(\d+\.\d+\.\d+\.\d+)(?::| \. )(\d+)")
_ADDRESS = 4
"""The column of a server's address in ``show servers state``; with the state that admins gave it, and its port."""
_ADMIN, _PORT = 6, 18
_ONCE = 4
"""The state of a server that the configuration has as disabled, and that a command has made ready."""


def broken(cluster: Cluster) -> list[str]:
    """Return what does not hold, in words; nothing if all is well."""
    found = {kind: list(cluster.json(kind, "-A")["items"]) for kind in KINDS}
    boxes = _containers(cluster.name)
    parts = (
        _store(cluster),
        _leaving(found),
        _allocations(found),
        _boxes(found, boxes),
        _networks(cluster.name),
        _rules(cluster.name, found, boxes),
        _names(cluster, found),
        _proxies(cluster, found),
    )
    return [words for part in parts for words in part]


def _store(cluster: Cluster) -> Iterator[str]:
    path = os.path.join(cluster.home, "clusters", cluster.name, "store.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        (said,) = store.execute("PRAGMA quick_check").fetchone()
    if said != "ok":
        yield f"store: {said}"


def _leaving(found: dict[str, list[Any]]) -> Iterator[str]:
    for kind, items in found.items():
        for one in items:
            if objects.is_deleting(one):
                yield f"{kind} {'/'.join(objects.key(one))} is still being deleted"
    for pod in found["pods"]:
        ready = objects.condition(pod, "Ready") or {}
        if ready.get("status") != "True" and objects.status(pod).get("phase") != "Succeeded":
            yield f"pod {objects.name(pod)} is not ready: {ready.get('message')}"


def _allocations(found: dict[str, list[Any]]) -> Iterator[str]:
    specs = [objects.spec(one) for one in found["services"]]
    pods = [one for one in found["pods"] if not objects.spec(one).get("hostNetwork")]
    given = {
        "cluster address": [spec.get("clusterIP") for spec in specs if spec.get("clusterIP") != "None"],
        "node port": [port["nodePort"] for spec in specs for port in spec["ports"] if port.get("nodePort")],
        "pod address": [objects.status(one).get("podIP") for one in pods],
    }
    for what, values in given.items():
        yield from (
            f"{what} {one} is given {count} times" for one, count in Counter(values).items() if count > 1
        )


def _containers(name: str) -> list[dict[str, Any]]:
    ids = docker("ps", "-aq", "--filter", f"label={LABEL}cluster={name}").split()
    return list(json.loads(docker("inspect", *ids))) if ids else []


def _label(box: dict[str, Any], name: str) -> str:
    return str(box["Config"]["Labels"].get(LABEL + name, ""))


def _boxes(found: dict[str, list[Any]], boxes: list[dict[str, Any]]) -> Iterator[str]:
    """Compare the engine's containers with the pods: each has its own, once, and there are no others."""
    pods = {objects.uid(one): one for one in found["pods"]}
    running: Counter[tuple[str, str]] = Counter()
    for box in boxes:
        uid = _label(box, "pod-uid")
        if uid and uid not in pods:
            yield f"container {box['Name']} is no pod's"
        if uid and box["State"]["Running"]:
            is_pause = _label(box, "role") == "pause"
            running[uid, "pause" if is_pause else _label(box, "container")] += 1
    for uid, pod in pods.items():
        wanted = {"pause", *(one["name"] for one in objects.spec(pod)["containers"])}
        for name in wanted:
            if running[uid, name] != 1 and objects.status(pod).get("phase") == "Running":
                yield f"pod {objects.name(pod)} has {running[uid, name]} running {name}"


def _networks(name: str) -> Iterator[str]:
    there = docker(
        "network", "ls", "--filter", f"label={LABEL}cluster={name}", "--format", "{{.Name}}"
    ).split()
    if there != [f"minikctl-{name}"]:
        yield f"networks: {there}"


def _rules(name: str, found: dict[str, list[Any]], boxes: list[dict[str, Any]]) -> Iterator[str]:
    """Compare each pod's rules with those that are planned: what is served, and by whom."""
    planned = _planned(found)
    pauses = {
        box["State"]["Pid"]: _label(box, "pod-name")
        for box in boxes
        if _label(box, "role") == "pause"
        and box["State"]["Running"]
        and box["HostConfig"]["NetworkMode"] != "host"
    }
    agent = next(
        (box["Id"] for box in boxes if _label(box, "container") == "agent" and box["State"]["Running"]), ""
    )
    if not agent:
        yield "there is no agent"
        return
    each = f"echo POD $pid; nsenter --net=/proc/$pid/ns/net nft list table inet {proxy.TABLE}"
    script = f"for pid in {' '.join(map(str, pauses))}; do {each}; done"
    for text in docker("exec", agent, "sh", "-c", script).split("POD ")[1:]:
        pid, _, table = text.partition("\n")
        held = _held(table)
        differs = [
            f"{key}: {held.get(key)} instead of {planned.get(key)}"
            for key in sorted({*held, *planned})
            if held.get(key) != planned.get(key)
        ]
        if differs:
            yield f"rules of pod {pauses[int(pid)]}: {'; '.join(differs[:3])}"


Served = dict[str, frozenset[str]]
"""For each chain of a Service's port to whom it leads, and for each address and port which chain it is."""


def _planned(found: dict[str, list[Any]]) -> Served:
    addresses = [one["address"] for node in found["nodes"] for one in objects.status(node)["addresses"]]
    nodes = tuple(sorted({one for one in addresses if proxy_view.is_ipv4(one)}))
    facts = proxy.Facts((), "", node_addresses=nodes)
    rules = proxy.compile_pods(found["services"], found["endpointslices"], facts).ruleset
    served = {key: frozenset({verdict}) for key, verdict in rules.maps[proxy.SERVICES].items()}
    return served | {
        name: _targets(" ".join(chain.rules))
        for name, chain in rules.chains.items()
        if name.startswith("svc-")
    }


def _targets(text: str) -> frozenset[str]:
    return frozenset(f"{address}:{port}" for address, port in _TARGET.findall(text))


def _held(table: str) -> Served:
    """Read what ``nft list`` shows; a chain without rules is one that is about to be deleted."""
    found: Served = {}
    for name, body in re.findall(r"chain (svc-\S+) \{(.*?)\n\t\}", table, re.DOTALL):
        if targets := _targets(body):
            found[name] = targets
    services = re.search(rf"map {proxy.SERVICES} \{{(.*?)\n\t\}}", table, re.DOTALL)
    for key, verdict in re.findall(r"(\S+ \. \S+ \. \d+) : (goto [^\s,]+)", services[1] if services else ""):
        found[key] = frozenset({verdict})
    return found


def _names(cluster: Cluster, found: dict[str, list[Any]]) -> Iterator[str]:
    """Compare the records of each name server with those that are planned."""
    state = Path(cluster.home, "clusters", cluster.name)
    settings = json.loads((state / "cluster.json").read_text())
    domain = settings.get("domain") or "cluster.local"
    spaces = tuple(objects.name(one) for one in found["namespaces"])
    view = dns_records.View(
        tuple(found["services"]), tuple(found["endpointslices"]), tuple(found["pods"]), domain, spaces
    )
    planned = dns_records.by_zone(dns_records.desired(view), (domain,))[domain]
    servers = BindServers((state / "dns" / "update.key").read_text().strip())
    own = (f"{dns_zones.MARKER}.{domain}.", f"ready.{dns_zones.MARKER}.{domain}.", f"ns.dns.{domain}.")
    for pod in found["pods"]:
        if objects.labels(pod).get("k8s-app") == "kube-dns" and objects.status(pod).get("podIP"):
            held = asyncio.run(servers.records(str(objects.status(pod)["podIP"]), domain))
            held = {key: data for key, data in held.items() if key[0] not in own}
            for key in sorted({*held, *planned}):
                if held.get(key) != planned.get(key):
                    yield f"DNS {key}: {held.get(key)} instead of {planned.get(key)}"


def _proxies(cluster: Cluster, found: dict[str, list[Any]]) -> Iterator[str]:
    """Compare the servers of the running proxies with the endpoints of the Services that they serve."""
    ports = proxy_view.service_ports(found["services"], found["endpointslices"])
    wanted = {
        f"{one.namespace}_{one.service}_{one.port}": {f"{to.ip}:{to.port}" for to in one.outside_targets()}
        for one in ports
    }
    for part in ("publisher", "ingress"):
        path = os.path.join(cluster.home, "clusters", cluster.name, part, "run")
        for backend, servers in _servers(path).items():
            if backend in wanted and servers != wanted[backend]:
                yield f"{part}, {backend}: {sorted(servers)} instead of {sorted(wanted[backend])}"


def _servers(directory: str) -> dict[str, set[str]]:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)  # a socket's path may have 107 characters only
    try:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(10)
            asked.connect(f"/proc/self/fd/{handle}/admin.sock")
            asked.sendall(b"show servers state\n")
            return _rows(asked.makefile())
    finally:
        os.close(handle)


def _rows(lines: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in lines:
        words = line.split()
        if len(words) > _PORT and not line.startswith("#"):
            servers = found.setdefault(words[1], set())
            if int(words[_ADMIN]) in (0, _ONCE):
                servers.add(f"{words[_ADDRESS]}:{words[_PORT]}")
    return found


if __name__ == "__main__":
    home = os.environ.get("MINIKCTL_HOME") or os.path.expanduser("~/.local/share/minikctl")
    sys.stdout.writelines(f"{words}\n" for words in broken(Cluster(home, sys.argv[1])))
