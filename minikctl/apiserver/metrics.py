"""What the server did, counted as Kubernetes' API server does, in Prometheus' text format."""

from __future__ import annotations

import bisect
import contextlib
import contextvars
import dataclasses
import os
import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

BUCKETS = (
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
)  # fmt: skip
SLI_BUCKETS = BUCKETS[2:]
"""Those of ``apiserver_request_sli_duration_seconds``, which say nothing of less than 50 ms."""
MEDIA = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """What requests are told apart by."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str
    dry_run: str = ""

    def labels(self) -> dict[str, str]:
        """Return the labels, by name."""
        return {
            "component": "apiserver",
            "dry_run": self.dry_run,
            "group": self.group,
            "resource": self.resource,
            "scope": self.scope,
            "subresource": self.subresource,
            "verb": self.verb,
            "version": self.version,
        }


OTHER = Request("", "", "", "", "", "")
"""A request for something that is no resource."""

_ENDLESS = ("WATCH",)
_waited: contextvars.ContextVar[list[float]] = contextvars.ContextVar("waited")


def begin() -> list[float]:
    """Begin a request: return where the seconds are gathered that it waits for servers of the user's."""
    found: list[float] = []
    _waited.set(found)
    return found


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Count the block's time as one in which the request waits for webhooks."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        _waited.get([]).append(time.perf_counter() - begun)


@dataclass
class Durations:
    """One histogram: how many observations fell into each bucket, and their sum in seconds."""

    buckets: tuple[float, ...] = BUCKETS
    total: float = 0.0
    counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.buckets) + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(self.buckets, seconds)] += 1
        self.total += seconds


@dataclass
class Metrics:
    """Counters of requests; ``watches`` is how many of them are open, by what they watch."""

    started: float = field(default_factory=time.time)
    watches: dict[Request, int] = field(default_factory=dict)
    _codes: dict[tuple[Request, int], int] = field(default_factory=dict)
    _durations: dict[Request, Durations] = field(default_factory=dict)
    _own: dict[Request, Durations] = field(default_factory=dict)

    @contextlib.contextmanager
    def open(self, request: Request) -> Iterator[None]:
        """Count a watch among the open ones as long as the block runs."""
        if request.verb not in _ENDLESS:
            yield
            return
        self.watches[request] = self.watches.get(request, 0) + 1
        try:
            yield
        finally:
            self.watches[request] -= 1

    def count(self, request: Request, code: int, seconds: float, waited: float = 0.0) -> None:
        """Count a request that has been answered; how long a watch took says nothing.

        ``waited`` is how much of its time went to webhooks.
        """
        key = (request, code)
        self._codes[key] = self._codes.get(key, 0) + 1
        if request.verb in _ENDLESS:
            return
        _of(self._durations, request, BUCKETS).add(seconds)
        told = dataclasses.replace(request, dry_run="") if request.dry_run else request
        _of(self._own, told, SLI_BUCKETS).add(seconds - waited)

    def render(self, objects: Mapping[str, int]) -> str:
        """Return all metrics; ``objects`` is how many are stored of each resource."""
        return "".join(f"{each}\n" for each in self._lines(objects))

    def _lines(self, objects: Mapping[str, int]) -> Iterator[str]:
        yield from head("apiserver_request_total", "counter", "Counter of apiserver requests.")
        for (request, code), count in self._codes.items():
            yield line("apiserver_request_total", {**request.labels(), "code": str(code)}, count)
        name = "apiserver_request_duration_seconds"
        yield from head(name, "histogram", "Response latency distribution in seconds.")
        for request, found in self._durations.items():
            yield from histogram(name, request.labels(), found)
        name = "apiserver_request_sli_duration_seconds"
        yield from head(name, "histogram", "Response latency in seconds, without the time of webhooks.")
        for request, found in self._own.items():
            labels = request.labels()
            del labels["dry_run"]
            yield from histogram(name, labels, found)
        yield from head("apiserver_longrunning_requests", "gauge", "Long-running requests that are open.")
        for request, count in self.watches.items():
            yield line("apiserver_longrunning_requests", request.labels(), count)
        yield from head("apiserver_resource_objects", "gauge", "Number of stored objects by resource.")
        for one, count in objects.items():
            plural, _, group = one.partition(".")
            yield line("apiserver_resource_objects", {"group": group, "resource": plural}, count)
        yield from head("apiserver_storage_objects", "gauge", "Number of stored objects by kind.")
        for one, count in objects.items():
            yield line("apiserver_storage_objects", {"resource": one}, count)
        yield from self._process()

    def _process(self) -> Iterator[str]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        gauges = (
            ("process_cpu_seconds_total", "counter", used.ru_utime + used.ru_stime),
            ("process_resident_memory_bytes", "gauge", pages * resource.getpagesize()),
            ("process_open_fds", "gauge", len(os.listdir("/proc/self/fd"))),
            ("process_start_time_seconds", "gauge", round(self.started, 2)),
        )
        for name, kind, value in gauges:
            yield from head(name, kind, name.replace("_", " ").capitalize() + ".")
            yield line(name, {}, value)


def _of(all: dict[Request, Durations], request: Request, buckets: tuple[float, ...]) -> Durations:
    found = all.get(request)
    if found is None:
        found = all[request] = Durations(buckets)
    return found


def histogram(name: str, labels: Mapping[str, str], found: Durations) -> Iterable[str]:
    """Yield the lines of one histogram."""
    total = 0
    for bound, count in zip((*found.buckets, "+Inf"), found.counts, strict=True):
        total += count
        yield line(f"{name}_bucket", {**labels, "le": str(bound).removesuffix(".0")}, total)
    yield line(f"{name}_sum", labels, found.total)
    yield line(f"{name}_count", labels, total)


def head(name: str, kind: str, text: str) -> tuple[str, str]:
    """Return the two lines before a metric's values."""
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def line(name: str, labels: Mapping[str, str], value: float) -> str:
    """Return one value's line."""
    listed = ",".join(f'{key}="{_escaped(text)}"' for key, text in sorted(labels.items()))
    return f"{name}{{{listed}}} {value}" if listed else f"{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
