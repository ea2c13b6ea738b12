"""The API server under one client and several: latencies, rates and memory, beside a Kubernetes control plane.

The reference is a Kubernetes 1.36.2 control plane (kube-apiserver with etcd 3.6) on a machine of this kind: median
of five rounds, best round in brackets.  It cannot run here, so its figures stand as they were measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks import harness
from benchmarks.harness import Cluster, Row
from benchmarks.idle import _resident

ROUNDS = 5
CALLS = 300
LISTED = 5000
SIZES = ((100, 10), (10_000, 500))
SPACES = 50
"""So many namespaces the big size is spread over: each has as many watches as the only one of the small size."""

REFERENCE: dict[str, tuple[float, float, float]] = {
    # name: median of five rounds, best round, what ours may be of the median
    "create p50, ms": (5.2, 2.2, 1.0),
    "create p99, ms": (16, 4.6, 1.0),
    "get p50, ms": (3.3, 1.5, 1.0),
    "merge patch p50, ms": (5.9, 3.8, 1.0),
    "POST to watch event p50, ms": (5.2, 3.5, 1.0),
    "list of 5,000, ms": (106, 50, 0.5),
    "deletecollection of 5,000, s": (12.9, 5.8, 0.5),
    "resident memory after the load, MiB": (642, 642, 0.5),
}
RATES = {"creates/s": (162.0, 408.0), "creates/s on 4 connections": (396.0, 711.0)}
"""More is better: median and best."""


class Api:
    """One keep-alive connection."""

    def __init__(self, server: str, token: str) -> None:
        host, port = server.removeprefix("https://").rsplit(":", 1)
        self.place = (host, int(port))
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "bench"}
        self.connection = http.client.HTTPSConnection(host, int(port), context=tls(), timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self, method: str, path: str, body: object = None, media: str = "application/json") -> bytes:
        """Send a request and return its answer's body; any failure ends the run."""
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {**self._headers, "Content-Type": media})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content


def tls() -> ssl.SSLContext:
    """Return a context that takes the cluster's own certificate: the address is loopback."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def access(cluster: Cluster) -> tuple[str, str]:
    """Return the API's address and the administrator's token."""
    lines = cluster.run("cluster", "kubeconfig").splitlines()
    values = {key: value for key, _, value in (line.strip().partition(": ") for line in lines)}
    return values["server"], values["token"]


def config_map(name: str) -> dict[str, object]:
    """Return an object of some 550 bytes as stored."""
    meta = {"name": name, "labels": {"bench": "y"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "v" * 100, "n": name}}


def timed(calls: int, work: Callable[[int], object]) -> list[float]:
    """Return how long each call took, in ms."""
    found = []
    for number in range(calls):
        begun = time.perf_counter()
        work(number)
        found.append((time.perf_counter() - begun) * 1000)
    return sorted(found)


class Space:
    """A namespace that lives for one measurement."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name
        self.base = f"/api/v1/namespaces/{name}/configmaps"

    def __enter__(self) -> Space:
        self.api(
            "POST",
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.api("DELETE", f"/api/v1/namespaces/{self.name}")

    def writes(self, calls: int = CALLS) -> dict[str, list[float]]:
        """Return latencies of creates, gets and patches."""
        merge = "application/merge-patch+json"
        return {
            "create": timed(calls, lambda n: self.api("POST", self.base, config_map(f"c-{n}"))),
            "get": timed(calls, lambda n: self.api("GET", f"{self.base}/c-{n}")),
            "patch": timed(
                calls, lambda n: self.api("PATCH", f"{self.base}/c-{n}", {"data": {"k": f"p{n}"}}, merge)
            ),
        }

    def watched(self, server: str, token: str, calls: int = 100) -> list[float]:
        """Return how long after its POST began each object's event arrived, in ms."""
        seen: dict[str, float] = {}
        watcher = Api(server, token)
        watcher.connection.request("GET", f"{self.base}?watch=1&timeoutSeconds=100", headers=watcher._headers)
        answer = watcher.connection.getresponse()

        def read() -> None:
            while len(seen) < calls and (line := answer.readline()):
                name = json.loads(line)["object"]["metadata"]["name"]
                if name.startswith("w-"):
                    seen[name] = time.perf_counter()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        time.sleep(0.3)
        sent = {}
        for number in range(calls):
            name = f"w-{number}"
            sent[name] = time.perf_counter()
            self.api("POST", self.base, config_map(name))
            time.sleep(0.005)
        reader.join(30)
        watcher.connection.close()
        return sorted((seen[name] - begun) * 1000 for name, begun in sent.items())


def fill(access_: tuple[str, str], bases: list[str], count: int) -> float:
    """Create objects over four connections; return how many a second."""

    def work(worker: int) -> None:
        api = Api(*access_)
        for number in range(worker, count, 4):
            api("POST", bases[number % len(bases)], config_map(f"f-{number}"))

    begun = time.perf_counter()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    return count / (time.perf_counter() - begun)


def one_round(cluster: Cluster, number: int) -> dict[str, float]:
    """Return every figure once."""
    place = access(cluster)
    pid = int(json.loads(cluster.run("cluster", "status", "-o", "json"))["pid"])
    with Space(Api(*place), f"round-{number}") as space:
        begun = time.perf_counter()
        found = space.writes()
        rate = 1000 * CALLS / sum(found["create"])
        latency = space.watched(*place)
        filled = fill(place, [space.base], LISTED - CALLS - 100)
        lists = timed(7, lambda _: space.api("GET", space.base))
        removal = timed(1, lambda _: space.api("DELETE", space.base))[0] / 1000
        print(f"  round {number}: {time.perf_counter() - begun:.0f} s, {harness.machine()}", file=sys.stderr)
    return {
        "create p50, ms": statistics.median(found["create"]),
        "create p99, ms": found["create"][int(CALLS * 0.99)],
        "get p50, ms": statistics.median(found["get"]),
        "merge patch p50, ms": statistics.median(found["patch"]),
        "POST to watch event p50, ms": statistics.median(latency),
        "list of 5,000, ms": statistics.median(lists),
        "deletecollection of 5,000, s": removal,
        "resident memory after the load, MiB": _resident(pid) / 2**20,
        "creates/s": rate,
        "creates/s on 4 connections": filled,
    }


@contextlib.contextmanager
def watchers(place: tuple[str, str], bases: list[str], count: int) -> Iterator[None]:
    """Keep watches open, spread over the collections, and read what they tell."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def watch(base: str) -> None:
        host, port = place[0].removeprefix("https://").rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls())
        writer.write(
            f"GET {base}?watch=1&timeoutSeconds=900 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {place[1]}\r\n\r\n".encode()
        )
        with contextlib.suppress(asyncio.CancelledError):
            while await reader.read(65536):
                pass

    async def all_of_them() -> None:
        tasks = []
        for number in range(count):
            tasks.append(loop.create_task(watch(bases[number % len(bases)])))
            await asyncio.sleep(0.005)
        await asyncio.sleep(1)
        ready.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(all_of_them())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(120)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        thread.join(10)


def at_size(cluster: Cluster, objects: int, watches: int) -> dict[str, float]:
    """Return the medians of some figures beside that many objects and watches."""
    place = access(cluster)
    api = Api(*place)
    names = [f"size-{objects}-{number}" for number in range(SPACES if watches > SPACES else 1)]
    figures: list[dict[str, float]] = []
    with contextlib.ExitStack() as stack:
        bases = [stack.enter_context(Space(api, name)).base for name in names]
        fill(place, bases, objects)
        with watchers(place, bases, watches):
            for _ in range(ROUNDS):
                found = Space(api, names[0]).writes(100)
                figures.append({name: statistics.median(values) for name, values in found.items()})
                figures[-1]["list 100"] = statistics.median(
                    timed(20, lambda _: api("GET", f"{bases[0]}?limit=100"))
                )
                for number in range(100):
                    api("DELETE", f"{bases[0]}/c-{number}")
    return {name: statistics.median(one[name] for one in figures) for name in figures[0]}


def measure(_: Cluster) -> list[Row]:
    """Return the figures of five rounds beside the reference, and those of a big cluster beside a small one."""
    with harness.cluster("--runtime", "sim", "--wait=false") as cluster:
        rounds = [one_round(cluster, number) for number in range(1, ROUNDS + 1)]
        sizes = [at_size(cluster, *size) for size in SIZES]
    rows = []
    for name, (median, best, goal) in REFERENCE.items():
        ours = statistics.median(one[name] for one in rounds)
        beside = f"{median:g} ({best:g})"
        rows.append(Row(f"API: {name}", f"{ours:.3g}", beside, ours / median, f"< {goal:g}"))
    for name, (median, best) in RATES.items():
        ours = statistics.median(one[name] for one in rounds)
        rows.append(Row(f"API: {name}", f"{ours:.0f}", f"{median:g} ({best:g})", ours / median, "> 1"))
    for name in sizes[0]:
        small, big = sizes[0][name], sizes[1][name]
        text = f"API: {name} p50 at 10,000 objects, 500 watches, ms"
        rows.append(Row(text, f"{big:.2f}", f"{small:.2f} at 100, 10", big / small, "< 1.5"))
    rows.append(Row("API: the machine meanwhile", f"load {os.getloadavg()[0]:.1f}", "", None, ""))
    return rows
