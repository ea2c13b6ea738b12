"""What the benchmarks share: a cluster of their own, commands, medians and the table of results."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker as engine

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = str(pathlib.Path(sys.executable).parent / "minikctl")
RESULTS = ROOT / "benchmarks" / "results.md"


@dataclass(frozen=True)
class Row:
    """One line of the results: ours beside the bare thing, their ratio, and what the ratio should be."""

    name: str
    ours: str
    bare: str
    ratio: float | None
    goal: str

    @property
    def cells(self) -> list[str]:
        """Return the row as text."""
        return [self.name, self.ours, self.bare, "" if self.ratio is None else f"{self.ratio:.2f}", self.goal]


class Cluster:
    """A cluster that lives for one benchmark run, in a state directory of its own."""

    def __init__(self, home: str, name: str) -> None:
        self.home = home
        self.name = name
        self.start_seconds = 0.0
        # An installed package has its byte code: without it each command would be compiled before it runs.
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self.environment = {**kept, "MINIKCTL_HOME": home, "MINIKCTL_CLUSTER": name}

    def run(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """Run a minikctl command; return its output."""
        done = subprocess.run(
            [PROGRAM, *words], input=stdin, capture_output=True, text=True, env=self.environment, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"minikctl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, *words: str) -> None:
        """Start the cluster and keep how long it took."""
        begun = time.perf_counter()
        self.run("cluster", "start", *words)
        self.start_seconds = time.perf_counter() - begun

    def start_row(self) -> Row:
        """Return how long the start took, until all system pods were Ready."""
        return Row("cluster start to system pods Ready", f"{self.start_seconds:.1f} s", "", None, "< 10 s")

    def popen(self, *words: str) -> subprocess.Popen[str]:
        """Start a minikctl command whose output is read while it runs."""
        return subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, text=True, env=self.environment)

    def get(self, *words: str) -> dict[str, Any]:
        """Return an object or list as JSON."""
        found: dict[str, Any] = json.loads(self.run("get", *words, "-o", "json"))
        return found

    def wait_ready(self, selector: str, seconds: int = 60) -> None:
        """Return when all pods with the label are Ready."""
        self.run("wait", "--for=condition=Ready", "pod", "-l", selector, f"--timeout={seconds}s")


_numbers = itertools.count(1)


@contextmanager
def cluster(*start: str) -> Iterator[Cluster]:
    """Yield a running cluster without egress, started with these flags; it is deleted whatever happens."""
    home = tempfile.mkdtemp(prefix="minikctl-bench-")
    made = Cluster(home, f"bench-{os.getpid()}-{next(_numbers)}")
    try:
        made.start("--egress=false", *start)
        yield made
    finally:
        made.run("cluster", "delete", check=False)
        shutil.rmtree(home, ignore_errors=True)


def docker(*words: str) -> str:
    """Run a docker command; return its output."""
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


def cpu_ns(container: str) -> int:
    """Return the processor time that a container has taken since its start, in nanoseconds."""
    found = engine.APIClient().stats(container, stream=False, one_shot=True)
    return int(found["cpu_stats"]["cpu_usage"]["total_usage"])


def median_ms(command: Sequence[str], runs: int, environment: dict[str, str] | None = None) -> float:
    """Return the median wall time of a whole process in milliseconds, after one run that does not count."""
    times = []
    for number in range(runs + 1):
        begun = time.perf_counter()
        subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=True
        )
        if number:
            times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def interleaved(
    ours: Sequence[str], theirs: Sequence[str], runs: int, environment: dict[str, str]
) -> tuple[float, float]:
    """Return both commands' median wall times in milliseconds, run in turn so that drift hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for command, found in zip((ours, theirs), times, strict=True):
            begun = time.perf_counter()
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=True
            )
            if number:
                found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def table(rows: Sequence[Row]) -> str:
    """Return the results as a Markdown table."""
    lines = [["what", "minikctl", "beside it", "ratio", "goal"], *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    text = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text) + "\n"


def machine() -> str:
    """Return a line about the machine and how busy it is."""
    load = os.getloadavg()[0]
    with open("/proc/stat", encoding="ascii") as source:
        ticks = [int(number) for number in source.readline().split()[1:]]
    steal = 100 * ticks[7] / max(1, sum(ticks))
    return f"{os.cpu_count()} cores, load {load:.2f}, CPU steal since boot {steal:.1f} %, Linux {os.uname().release}"


def pod(name: str, space: str = "default") -> dict[str, Any]:
    """Return a pod of the demo's app, labelled with its name."""
    container = {"name": "app", "image": "minikctl-demo:latest", "imagePullPolicy": "IfNotPresent"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": space, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }
