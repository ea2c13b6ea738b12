"""Questions to cluster DNS from inside a pod's network, at the Service's address as pods' resolvers ask."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Cluster, docker

SERVER = "10.96.0.10"
TTL = 5
_ASK = """
import dns.flags, dns.message, dns.query, dns.rcode, json, sys
server, name, type, way = sys.argv[1:]
answer = getattr(dns.query, way)(dns.message.make_query(name, type), server, timeout=5)
lines = lambda sets: [[str(one.name), one.ttl, data.rdtype.name, str(data)] for one in sets for data in one]
cut = bool(answer.flags & dns.flags.TC)
print(json.dumps([dns.rcode.to_text(answer.rcode()), lines(answer.answer), lines(answer.authority), cut]))
"""
_WATCH = """
import dns.message, dns.query, dns.rcode, itertools, json, select, sys
server, timeout, *names = sys.argv[1:]
asked, failed, last = 0, [], None
print("asking", flush=True)
for name in itertools.cycle(names):
    if last is None and select.select([sys.stdin], [], [], 0.002)[0]:
        last = asked + int(sys.stdin.readline())
    if asked == last:
        break
    asked += 1
    try:
        answer = dns.query.udp(dns.message.make_query(name, "A"), server, timeout=float(timeout))
        said = dns.rcode.to_text(answer.rcode()) if answer.answer else "nothing"
    except Exception as error:
        said = type(error).__name__
    if said != "NOERROR":
        failed.append([asked, name, said])
print(json.dumps([asked, failed]))
"""


@dataclass
class Answer:
    """What the name server said: lines are [name, TTL, type, data]; ``cut`` tells that more came by TCP."""

    rcode: str
    lines: list[list[Any]]
    authority: list[list[Any]]
    cut: bool

    def addresses(self) -> list[str]:
        """Return the addresses, also those that the server remembers and whose time runs."""
        return sorted(line[3] for line in self.lines if line[2] == "A")

    def data(self, type: str) -> list[str]:
        """Return the data of the cluster's own records of a type."""
        assert all(line[1] == TTL for line in self.lines), self.lines
        return sorted(line[3] for line in self.lines if line[2] == type)

    def denies(self, rcode: str) -> bool:
        """Tell whether it says that there is nothing, with the zone's SOA so that it is remembered for as long."""
        (soa,) = self.authority
        start, end = "ns.dns.cluster.local. hostmaster.cluster.local. ", f" 7200 1800 86400 {TTL}"
        told = soa[2] == "SOA" and soa[3].startswith(start) and soa[3].endswith(end)
        return (self.rcode, self.lines, told) == (rcode, [], True)


class Asker:
    """Asks from the network of a pod that runs all the while."""

    def __init__(self, cluster: Cluster, pod: str, namespace: str) -> None:
        labels = ("role=pause", f"pod-namespace={namespace}", f"pod-name={pod}")
        (pause,) = cluster.containers(*(f"label=minikctl.dev/{label}" for label in labels))
        self._inside = [
            "nsenter",
            "-t",
            docker("inspect", "-f", "{{.State.Pid}}", pause),
            "-n",
            sys.executable,
        ]

    def run(self, script: str, *words: str) -> str:
        """Return what a script prints that succeeds."""
        argv = [*self._inside, "-c", script, *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, name: str, type: str = "A", way: str = "udp", server: str = SERVER) -> Answer:
        """Return the answer to one question."""
        return Answer(*json.loads(self.run(_ASK, server, name, type, way)))

    def watch(self, names: Sequence[str], timeout: float = 1.0) -> Watch:
        """Ask for these names in turn, some hundred times a second, until the watch is ended."""
        return Watch([*self._inside, "-c", _WATCH, SERVER, str(timeout), *names])


class Watch:
    """Questions that go on meanwhile."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "asking\n"

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self, more: int = 0) -> tuple[int, list[list[Any]]]:
        """Ask so many ``more``; return how many were asked, and number, name and outcome of those without an answer."""
        said, _ = self._process.communicate(f"{more}\n", timeout=60)
        asked, failed = json.loads(said)
        return asked, failed
