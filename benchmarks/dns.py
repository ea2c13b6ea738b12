"""Cluster DNS with a thousand Services: how soon a new server has them, how fast it is, whether lookups fail in churn.

Load comes from dnsperf (Debian package ``dnsperf``) in a pod's network, to the cluster's own addresses only.
"""

from __future__ import annotations

import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dns.exception
import dns.message
import dns.query

from benchmarks import network
from benchmarks.harness import Cluster, Row, docker

SERVICES = 1000
LOOKUPS = 100_000
ROUNDS = 5
ROUND_SECONDS = 3
SERVER = "10.96.0.10"
ZONE = "default.svc.cluster.local"
WAIT_SECONDS = 60.0
SHARES = "102"
"""Of processor time, as the cluster's own name server has by its request of 100m."""
BARE = """options {{ directory "/bare"; listen-on {{ any; }}; listen-on-v6 {{ none; }}; pid-file none; session-keyfile none;
  recursion no; dnssec-validation no; notify no; }};
controls {{ }};
zone "{zone}" {{ type primary; file "zone"; }};
"""


def measure(cluster: Cluster) -> list[Row]:
    """Return the loading, the comparison with a bare BIND of the same names, and the lookups that failed."""
    manifest = _listed(_service(f"bench-{number}") for number in range(SERVICES))
    cluster.run("apply", "-f", "-", stdin=_listed([_pod()]))
    cluster.run("apply", "-f", "-", stdin=manifest)
    cluster.run("wait", "--for=condition=Ready", "pod/lookups", "--timeout=60s")
    inside = ["nsenter", "-t", network.pause_pid(cluster, "lookups"), "-n"]
    with tempfile.TemporaryDirectory(prefix="minikctl-bench-") as directory:
        names = pathlib.Path(directory, "names")
        names.write_text("".join(f"bench-{number}.{ZONE} A\n" for number in range(SERVICES)))
        rows = [_loading(cluster)]
        with _bare(cluster, pathlib.Path(directory)) as address:
            (own,) = _servers(cluster).values()
            rows += _rates(inside, names, own, address)
        rows.append(_churn(cluster, inside, names))
    cluster.run("delete", "-f", "-", stdin=manifest)
    cluster.run("delete", "pod", "lookups")
    return rows


def _loading(cluster: Cluster) -> Row:
    """Measure from a new server's first answer of any kind until it has all names and says so."""
    before = set(_servers(cluster))
    cluster.run("delete", "pod", "-n", "kube-system", "--wait=false", *before)
    address = ""
    deadline = time.monotonic() + WAIT_SECONDS
    while not address:
        fresh = [ip for name, ip in _servers(cluster).items() if name not in before]
        address = next(filter(None, fresh), "")
        _in_time(deadline)
    while not _asked(address, "cluster.local", "SOA"):
        _in_time(deadline)
    begun = time.monotonic()
    while not _asked(address, "ready._minikctl.cluster.local", "TXT"):
        _in_time(deadline)
    took = time.monotonic() - begun
    if not _asked(address, f"bench-{SERVICES - 1}.{ZONE}", "A"):
        raise RuntimeError("the name server says that it has all names, and has not")
    selector = ("-n", "kube-system", "-l", "k8s-app=kube-dns")
    cluster.run("wait", "--for=condition=Ready", "pod", *selector, "--timeout=60s")
    return Row(f"{SERVICES:,} Services in a new name server", f"{took:.2f} s", "", None, "< 3 s")


def _servers(cluster: Cluster) -> dict[str, str]:
    """Return the address of each name server, by its name; one that is on its way out still answers for a while."""
    pods = cluster.get("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")["items"]
    staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return {pod["metadata"]["name"]: pod["status"].get("podIP", "") for pod in staying}


def _asked(address: str, name: str, type: str) -> bool:
    """Tell whether the server has that record; one that does not answer has not."""
    try:
        return bool(dns.query.udp(dns.message.make_query(name, type), address, timeout=0.05).answer)
    except (dns.exception.DNSException, OSError):
        return False


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise RuntimeError(f"no new name server was filled within {WAIT_SECONDS:.0f} s")
    time.sleep(0.01)


@contextmanager
def _bare(cluster: Cluster, directory: pathlib.Path) -> Iterator[str]:
    """Yield the address of a BIND with the same names in a file, in a container on the cluster's network."""
    lines = [f"$ORIGIN {ZONE}.\n@ 5 IN SOA localhost. localhost. 1 7200 1800 86400 5\n@ 5 IN NS localhost.\n"]
    lines += [
        f"bench-{number} 5 IN A 10.96.{number // 250}.{number % 250 + 1}\n" for number in range(SERVICES)
    ]
    (directory / "zone").write_text("".join(lines))
    (directory / "named.conf").write_text(BARE.format(zone=ZONE))
    directory.chmod(0o755)
    running = docker(
        "ps", "-q", "--filter", f"label=minikctl.dev/cluster={cluster.name}", "--filter", "name=_named_"
    )
    image = docker("inspect", "-f", "{{.Image}}", running.split()[0])
    words = [
        "--cpu-shares",
        SHARES,
        "--network",
        f"minikctl-{cluster.name}",
        "-v",
        f"{directory}:/bare",
        "--entrypoint",
        "named",
    ]
    made = docker("run", "-d", *words, image, "-g", "-n", "1", "-c", "/bare/named.conf")
    try:
        address = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", made)
        deadline = time.monotonic() + WAIT_SECONDS
        while not _asked(address, f"bench-0.{ZONE}", "A"):
            _in_time(deadline)
        yield address
    finally:
        docker("rm", "-f", made)


def _rates(inside: list[str], names: pathlib.Path, own: str, bare: str) -> list[Row]:
    """Compare the Service, and the name server behind it without translation, with the bare one."""
    rates: dict[str, list[float]] = {SERVER: [], own: [], bare: []}
    for _ in range(ROUNDS):
        for address, found in rates.items():
            said = _perf(inside, names, address, "-l", str(ROUND_SECONDS))
            found.append(_number(said, "Queries per second"))
    service, server, theirs = (statistics.median(found) for found in rates.values())
    ways = (("through the Service", service, "≥ 0.90"), ("at the name server's own address", server, ""))
    return [
        Row(f"lookups {way} beside a bare BIND", f"{rate:,.0f}/s", f"{theirs:,.0f}/s", rate / theirs, goal)
        for way, rate, goal in ways
    ]


def _churn(cluster: Cluster, inside: list[str], names: pathlib.Path) -> Row:
    """Look up Services that stay while others come and go."""
    over, rounds = threading.Event(), 0
    passing = _listed(_service(f"passing-{number}") for number in range(20))

    def change() -> None:
        nonlocal rounds
        while not over.is_set():
            cluster.run("apply", "-f", "-", stdin=passing)
            cluster.run("delete", "-f", "-", stdin=passing)
            rounds += 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        # At a rate that lets the changes go on meanwhile.
        words = ("-n", str(LOOKUPS // SERVICES), "-Q", str(LOOKUPS // 20))
        said = _perf(inside, names, SERVER, *words)
    finally:
        over.set()
        changing.join()
    asked, right = _number(said, "Queries sent"), _number(said, "NOERROR")
    name = f"failed among {asked:,.0f} lookups while {rounds * 20} Services come and go"
    return Row(name, f"{asked - right:,.0f}", "", None, "0")


def _perf(inside: list[str], names: pathlib.Path, address: str, *words: str) -> str:
    argv = [*inside, "dnsperf", "-s", address, "-d", str(names), "-c", "10", "-q", "100", "-t", "2", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _number(said: str, what: str) -> float:
    """Return the number that dnsperf gives for something, 0 when it does not mention it."""
    found = re.search(rf"{what}:? +([0-9.]+)", said)
    return float(found[1]) if found else 0.0


def _listed(items: Any) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})


def _service(name: str) -> dict[str, Any]:
    spec = {"ports": [{"name": "http", "port": 80}], "selector": {"app": "nobody"}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def _pod() -> dict[str, Any]:
    container = {"name": "app", "image": "minikctl-demo:latest", "imagePullPolicy": "IfNotPresent"}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "lookups", "namespace": "default"},
        "spec": spec,
    }
